import { addToken, scanOnce, startReceiver, writeTokenFile, type Scanned } from '../../../harness/cli.ts';
import type { Place } from './step.ts';

const DEVICE = 'edge1';
/** For how long an unclosed directory must be quiet, in seconds. */
const QUIET_S = 1;

/** One `isync scan --once` of edge1's root with a receiver that asks for a token. */
export async function runScan(place: Place, args: readonly string[] = []): Promise<Scanned> {
  const token = await addToken(DEVICE, place.tokens);
  const tokenFile = await writeTokenFile(place.folder, DEVICE, token);
  await using receiver = await startReceiver(place.store, { args: ['--tokens', place.tokens] });
  return await scanOnce(place.root(DEVICE), {
    to: receiver.url,
    device: DEVICE,
    args: ['--token-file', tokenFile, '--quiet', String(QUIET_S), ...args],
  });
}
