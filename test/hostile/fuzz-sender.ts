import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { scanOnce } from '../../harness/cli.ts';
import { startNode } from '../../harness/process.ts';
import { filesBelow, temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { mebibytes } from './checks.ts';
import type { FuzzOptions } from './fuzz-receiver.ts';
import { HostileReceiver } from './hostile-receiver.ts';
import { COLLECTS_ON_SIGNAL, faultLines, MemoryWatch } from './process-health.ts';

const SENDING = fileURLToPath(new URL('./sending.ts', import.meta.url));
const WARM_UP = 0.2;
const MOST_GROWTH_BYTES = 50 * 1000 * 1000;
/** How long the real command line tries, in s. */
const CLI_SECONDS = 3;

/** A hostile receiver against a sender process, and against `isync scan`. */
export async function fuzzSender({
  seed,
  random,
  messages,
  mostMs,
  checks,
  print,
}: FuzzOptions): Promise<void> {
  await using receiver = new HostileReceiver(random, seed);
  const url = await receiver.listen();
  await using sender = startNode([SENDING, url], { env: COLLECTS_ON_SIGNAL });
  using memory = new MemoryWatch(sender);
  const began = performance.now();
  let warm = false;
  while (receiver.messages < messages && performance.now() - began < mostMs && !sender.over) {
    await delay(50);
    if (warm || receiver.messages < messages * WARM_UP) continue;
    warm = true;
    await memory.setBaseline();
  }
  const alive = !sender.over;
  const atEnd = await memory.collected();
  const { exitCode, stdout, stderr } = await sender.stop('SIGTERM');
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  print(
    `${receiver.messages} messages in ${receiver.sessions} sessions and ${seconds} s; sender: ` +
      `${mebibytes(memory.baseline)} warm, ${mebibytes(atEnd)} at the end; ${stdout.trim()}`,
  );
  checks.check('the sender lives', alive, stderr.slice(-1000));
  checks.check(
    'the sender told of no fault of its own',
    exitCode === 0 && receiver.faults.length === 0,
    receiver.faults[0],
  );
  checks.check(
    'its memory grew by no more than 50 MB',
    memory.baseline > 0 && atEnd - memory.baseline <= MOST_GROWTH_BYTES,
    mebibytes(atEnd - memory.baseline),
  );

  await using folder = await temporaryFolder('hostile');
  const root = join(folder.path, 'root');
  await writeTree(root, { 'DC1/a': 10, 'DC1/b': 200_000, 'DC1/c': 5_000_000, 'DC1/finished.parse': '' });
  const ended = await scanOnce(root, { to: url, args: ['--retry-for', `${CLI_SECONDS}s`] });
  const faults = faultLines(ended.stderr);
  checks.check(
    'isync scan ends with an exit code',
    ended.exitCode !== null && ended.exitCode <= 5,
    String(ended.exitCode),
  );
  checks.check('isync scan told of no fault of its own', faults.length === 0, faults[0]);
  const names = [...(await filesBelow(root)).keys()]
    .map((path) => path.replace('DC1/', ''))
    .toSorted()
    .join(' ');
  checks.check(
    'the root has nothing new but markers',
    /^a b c finished.parse( finished.watch)?$/.test(names),
    names,
  );
}
