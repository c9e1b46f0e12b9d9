import { tokenSchema } from '../config/schemas/token.ts';
import { parseDeviceName } from '../model/device-name.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import { formatCount } from '../observe/units.ts';
import type { TokenEntry } from '../access/token-entries.ts';
import { addToken, listTokens, revokeToken } from '../access/tokens.ts';
import { briefCommand } from './brief-command.ts';

/** Nothing but the token is on stdout, so that "> token-file" makes what --token-file reads. */
export const runAdd = briefCommand(tokenSchema, async ({ config, words, output }) => {
  const device = namedDevice(words['device'] ?? '');
  const access = config.read ? 'read' : 'write';
  const token = await addToken(config.tokens, device, access);
  output.text(token);
  return output.done({ device, access, token });
});

export const runRevoke = briefCommand(tokenSchema, async ({ config, words, output }) => {
  const { device: deviceOrId = '' } = words;
  const revoked = (await revokeToken(config.tokens, deviceOrId)).map(shown);
  const [first] = revoked;
  if (first === undefined)
    throw new IsyncError('USAGE', `"${deviceOrId}" is neither a device with a token nor the id of one`, {
      hint: '"isync token list" tells both.',
    });
  output.text(`${formatCount(revoked.length, 'token')} of ${first.device} revoked`);
  return output.done({ revoked });
});

export const runList = briefCommand(tokenSchema, async ({ config, output }) => {
  const tokens = (await listTokens(config.tokens)).map(shown);
  for (const { id, device, access, created } of tokens)
    output.text(`${id}  ${created}  ${device}${access === 'read' ? '  (reads)' : ''}`);
  return output.done({ tokens });
});

/** Returns what of a token may be seen. */
function shown({ id, device, access, created }: TokenEntry) {
  return { id, device, access: access ?? 'write', created };
}

/** Checks the name of a device. A bad one is the command line's fault here, not that of a file. */
function namedDevice(text: string): string {
  try {
    return parseDeviceName(text);
  } catch (error) {
    const { message, hint } = toIsyncError(error, 'USAGE');
    throw new IsyncError('USAGE', message, { cause: error, hint });
  }
}
