import type { z } from 'zod';
import { flag, one, oneOf, path } from '../fields.ts';
import { fromFile } from '../from-file.ts';
import { parseHook } from '../hook-values.ts';
import { parseDuration, parseHostPort } from '../values.ts';

/** What every command has. */
export const common = {
  json: flag(),
  logLevel: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
  logFormat: oneOf('auto', 'json', 'text', 'journal').default('auto'),
};

/** What every command has that tells how far it is. */
export const progressSettings = {
  /** Milliseconds; 0: never. */
  stats: one((text) => parseDuration(text, 's')).default(60_000),
};

/** What a command has that tells programs of seals and problems. */
export const hookSettings = {
  onSeal: fromFile(parseHook),
  onProblem: fromFile(parseHook),
  /** Folder for what they are owed. Default: that of the unit, or of the user. */
  hookState: path.optional(),
};

/** What every command has that can be looked at while it runs. */
export const statusSettings = {
  status: one(parseHostPort).optional(),
  statusTokenFile: path.optional(),
};

export const tls = {
  tlsCa: path.optional(),
  tlsCert: path.optional(),
  tlsKey: path.optional(),
};

interface TlsPaths {
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

export function checkKeyPair({ tlsCert, tlsKey }: TlsPaths, context: z.RefinementCtx): void {
  if (tlsCert !== undefined && tlsKey === undefined) fault(context, 'tlsCert', 'needs --tls-key as well');
  if (tlsKey !== undefined && tlsCert === undefined) fault(context, 'tlsKey', 'needs --tls-cert as well');
}

/** Reports what is wrong with the setting `key` beside the others; `message` goes on from its value. */
export function fault(context: z.RefinementCtx, key: string, message: string): void {
  context.addIssue({ code: 'custom', path: [key], message });
}
