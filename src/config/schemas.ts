import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { DEFAULT_IGNORE } from '../model/default-ignore.ts';
import { parseDeviceName } from '../model/device-name.ts';
import { DIGEST_ALGORITHMS } from '../model/digest.ts';
import { defaultDevice } from './default-device.ts';
import { flag, list, one, oneOf } from './fields.ts';
import { s3Faults, s3Settings } from './s3-settings.ts';
import { parseStoreAddress, parseTargetAddress } from './target-address.ts';
import { parseToken } from './token-file.ts';
import {
  badValue,
  parseBoolean,
  parseBytes,
  parseCount,
  parseDuration,
  parseHostPort,
  parseRate,
} from './values.ts';

/** Where `isync receive` listens unless told otherwise: reachable from this machine only. */
const DEFAULT_LISTEN = '127.0.0.1:7400';

const path = one((text) => resolve(notEmpty(text)));

const common = {
  json: flag(),
  logLevel: oneOf('debug', 'info', 'warn', 'error', 'silent').default('info'),
};

const tls = {
  tlsCa: path.optional(),
  tlsCert: path.optional(),
  tlsKey: path.optional(),
};

/** What scan and verify share: the root, and how to reach its target. */
const sender = {
  root: path,
  to: one(parseTargetAddress),
  device: one(parseDevice).prefault(() => defaultDevice(hostname())),
  tag: one(parseTag).default(''),
  /** Besides those of `defaultIgnore`; `ignorePatterns` has both. */
  ignore: list(),
  /** Whether files in progress by their usual names are left alone. */
  defaultIgnore: one(parseBoolean).default(true),
  digest: oneOf(...DIGEST_ALGORITHMS).default('xxh64'),
  /** Milliseconds; undefined where the command decides. */
  retryFor: one((text) => parseDuration(text, 's')).optional(),
  tokenFile: path.optional(),
  /** From the environment only: an argument shows in ps, a config file gets copied around. */
  token: one(parseSecret).optional(),
  ...tls,
  ...s3Settings,
  ...common,
};

export const scanSchema = z
  .strictObject({
    ...sender,
    once: flag(),
    complete: oneOf('auto', 'close-write', 'settle').default('auto'),
    /** Milliseconds. */
    settle: one((text) => parseDuration(text, 'ms', 1)).default(250),
    /** Milliseconds. */
    quiet: one((text) => parseDuration(text, 's')).default(600_000),
    newest: oneOf('birthtime', 'mtime', 'name').default('birthtime'),
    marks: oneOf('trust', 'verify').default('verify'),
    maxWatched: one(parseCount).prefault('64'),
    reopen: flag(),
    replaceDamaged: flag(),
    /** Bytes per second. */
    bwlimit: one(parseRate).optional(),
    compress: flag(),
  })
  .superRefine((config, context) => {
    checkSender(config, context);
    if (config.compress && config.to.kind !== 'receiver')
      fault(context, 'compress', 'is for a ws:// or wss:// target only');
  });

export const verifySchema = z
  .strictObject({ ...sender, quick: flag(), repair: flag(), replaceDamaged: flag() })
  .superRefine(checkSender);

export const receiveSchema = z
  .strictObject({
    store: one(parseStoreAddress),
    listen: one(parseHostPort).prefault(DEFAULT_LISTEN),
    tokens: path.optional(),
    insecure: flag(),
    immutable: flag(),
    /** Bytes. */
    minFree: one((text) => parseBytes(text)).optional(),
    /** Bytes. */
    maxFileSize: one((text) => parseBytes(text, 1)).optional(),
    /** Bytes for each device. */
    quota: one((text) => parseBytes(text, 1)).optional(),
    maxConnections: one(parseCount).optional(),
    ...tls,
    ...s3Settings,
    ...common,
  })
  .superRefine((config, context) => {
    checkKeyPair(config, context);
    const isS3 = config.store.kind === 's3';
    for (const { key, message } of s3Faults(config, isS3, 'store')) fault(context, key, message);
    if (isS3 && config.minFree !== undefined)
      fault(
        context,
        'minFree',
        'is for a folder only: a bucket has no disk to leave free; --quota bounds devices',
      );
    if (config.tlsCa !== undefined && config.tlsCert === undefined)
      fault(context, 'tlsCa', 'asks senders for certificates, which needs --tls-cert and --tls-key as well');
  });

export const tokenSchema = z.strictObject({ tokens: path, ...common });

export type ScanConfig = z.output<typeof scanSchema>;
export type VerifyConfig = z.output<typeof verifySchema>;
export type ReceiveConfig = z.output<typeof receiveSchema>;

/** Every glob pattern of files to leave alone. */
export function ignorePatterns({
  ignore,
  defaultIgnore,
}: Pick<ScanConfig, 'ignore' | 'defaultIgnore'>): readonly string[] {
  return defaultIgnore ? [...DEFAULT_IGNORE, ...ignore] : ignore;
}

/** By command, which is also the name of the config file's section. */
export const SCHEMAS = {
  scan: scanSchema,
  receive: receiveSchema,
  token: tokenSchema,
  verify: verifySchema,
} as const;

export type CommandName = keyof typeof SCHEMAS;

interface TlsPaths {
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}

function checkSender(config: z.output<z.ZodObject<typeof sender>>, context: z.RefinementCtx): void {
  checkKeyPair(config, context);
  if (config.token !== undefined && config.tokenFile !== undefined)
    fault(context, 'tokenFile', 'is given, and ISYNC_TOKEN is set as well; which of the two is meant?');
  for (const { key, message } of s3Faults(config, config.to.kind === 's3', 'target'))
    fault(context, key, message);
  if (config.to.kind === 'receiver' && config.to.url.protocol === 'wss:') return;
  for (const key of ['tlsCa', 'tlsCert', 'tlsKey'] as const)
    if (config[key] !== undefined) fault(context, key, 'is for a wss:// target only');
}

function checkKeyPair({ tlsCert, tlsKey }: TlsPaths, context: z.RefinementCtx): void {
  if (tlsCert !== undefined && tlsKey === undefined) fault(context, 'tlsCert', 'needs --tls-key as well');
  if (tlsKey !== undefined && tlsCert === undefined) fault(context, 'tlsKey', 'needs --tls-cert as well');
}

function fault(context: z.RefinementCtx, key: string, message: string): void {
  context.addIssue({ code: 'custom', path: [key], message });
}

function notEmpty(text: string): string {
  if (text === '') throw badValue('is empty');
  return text;
}

function parseDevice(text: string): string {
  try {
    return parseDeviceName(text);
  } catch {
    // Its one reason, in the words of a setting.
    throw badValue('is no device name: 1 to 64 of A-Z a-z 0-9 "-" "_" ".", beginning with a letter or digit');
  }
}

function parseTag(text: string): string {
  if (text.includes('/')) throw badValue('has a "/"; it is the beginning of a directory name');
  return text;
}

function parseSecret(text: string): string {
  const token = parseToken(text);
  if (token === undefined) throw badValue('is no token as "isync token add" prints it');
  return token;
}
