import { readConfig } from '../config/read-config.ts';
import { tokenSchema } from '../config/schemas.ts';
import { parseDeviceName } from '../model/device-name.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import { formatCount } from '../observe/units.ts';
import { addToken, listTokens, revokeToken } from '../receiver/tokens.ts';
import type { Invocation } from './commands/invocation.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';

type TokenInvocation = Extract<Invocation, { command: 'token' }>;

export async function runToken(invocation: TokenInvocation, output: Output): Promise<ExitCode> {
  const { flags } = invocation;
  const config = readConfig('token', tokenSchema, { flags, environment: process.env });
  output.json = config.json;
  switch (invocation.action) {
    case 'add':
      await add(config.tokens, invocation.device, output);
      break;
    case 'revoke':
      await revoke(config.tokens, invocation.device, output);
      break;
    case 'list':
      await list(config.tokens, output);
      break;
  }
  return EXIT.DONE;
}

/** Nothing but the token is on stdout, so that "> token-file" makes what --token-file reads. */
async function add(path: string, device: string, output: Output): Promise<void> {
  const token = await addToken(path, namedDevice(device));
  output.text(token);
  output.object({ device, token, exitCode: EXIT.DONE });
}

/** A bad name is the command line's fault here, not that of a file. */
function namedDevice(text: string): string {
  try {
    return parseDeviceName(text);
  } catch (error) {
    const { message, hint } = toIsyncError(error, 'USAGE');
    throw new IsyncError('USAGE', message, { cause: error, ...(hint !== undefined && { hint }) });
  }
}

async function revoke(path: string, deviceOrId: string, output: Output): Promise<void> {
  const revoked = await revokeToken(path, deviceOrId);
  if (revoked.length === 0)
    throw new IsyncError('USAGE', `"${deviceOrId}" is neither a device with a token nor the id of one`, {
      hint: '"isync token list" tells both.',
    });
  output.text(`${formatCount(revoked.length, 'token')} of ${revoked[0]?.device ?? deviceOrId} revoked`);
  const shown = revoked.map(({ id, device, created }) => ({ id, device, created }));
  output.object({ revoked: shown, exitCode: EXIT.DONE });
}

async function list(path: string, output: Output): Promise<void> {
  const tokens = (await listTokens(path)).map(({ id, device, created }) => ({ id, device, created }));
  for (const { id, device, created } of tokens) output.text(`${id}  ${created}  ${device}`);
  output.object({ tokens, exitCode: EXIT.DONE });
}
