import type { z } from 'zod';
import { path } from '../fields.ts';
import { secret } from '../secret.ts';
import type { TargetAddress } from '../target-address.ts';
import { parseToken } from '../token-file.ts';
import { badValue } from '../values.ts';
import { checkKeyPair, fault, tls } from './common.ts';

/** What a receiver asks for. */
export const receiverAccess = {
  tokenFile: path.optional(),
  token: secret(parseSecret, { instead: 'name a file that holds it with "token-file"' }).optional(),
  ...tls,
};

export type ReceiverAccess = z.output<z.ZodObject<typeof receiverAccess>>;

/** @param what the place is to the command */
export function checkReceiverAccess(
  config: ReceiverAccess,
  address: TargetAddress,
  what: 'target' | 'place',
  context: z.RefinementCtx,
): void {
  checkKeyPair(config, context);
  if (config.token !== undefined && config.tokenFile !== undefined)
    fault(
      context,
      'tokenFile',
      'is given, and the token itself (ISYNC_TOKEN) as well; which of the two is meant?',
    );
  if (address.kind === 'receiver' && address.url.protocol === 'wss:') return;
  for (const key of ['tlsCa', 'tlsCert', 'tlsKey'] as const)
    if (config[key] !== undefined) fault(context, key, `is for a wss:// ${what} only`);
}

function parseSecret(text: string): string {
  const token = parseToken(text);
  if (token === undefined) throw badValue('is no token as "isync token add" prints it');
  return token;
}
