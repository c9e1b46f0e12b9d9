import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { addToken, startReceiver, startScan, writeTokenFile, type Receiver } from '../harness/cli.ts';
import type { CliProcess } from '../harness/process.ts';

const DEVICE = 'edge1';

/** A receiver with its defaults, and one device that has a token for it. */
export interface Pair extends AsyncDisposable {
  readonly receiver: Receiver;
  /** Where the device's files come to lie. */
  readonly copy: string;
  /** Starts `isync scan` as a daemon. */
  scan(root: string, args?: readonly string[]): CliProcess;
}

/** Everything but the root lies in `folder`, which the caller removes. */
export async function startPair(folder: string): Promise<Pair> {
  const store = join(folder, 'store');
  await mkdir(store, { recursive: true });
  const tokens = join(folder, 'tokens.json');
  const token = await writeTokenFile(folder, DEVICE, await addToken(DEVICE, tokens));
  const receiver = await startReceiver(store, { args: ['--tokens', tokens] });
  return {
    receiver,
    copy: join(store, DEVICE),
    scan: (root, args = []) =>
      startScan(root, { to: receiver.url, device: DEVICE, args: ['--token-file', token, ...args] }),
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}
