import { existsSync } from 'node:fs';
import { readdir, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { addToken, startReceiver, writeTokenFile } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { mebibytes, type Checks } from './checks.ts';
import { senderCorpus } from './corpus.ts';
import { HostileSender } from './hostile-sender.ts';
import { COLLECTS_ON_SIGNAL, faultLines, MemoryWatch } from './process-health.ts';
import type { Random } from '../../harness/random.ts';
import { Witness } from './witness.ts';

/** Hostile devices at a time. */
const DEVICES = 4;
/** Messages after which growth is counted: a process that has just begun grows by what it caches and compiles. */
const WARM_UP = 20_000;
const MOST_GROWTH_BYTES = 50 * 1000 * 1000;
/** Most time from the last message until the receiver has dealt with everything, in ms. */
const SETTLE_MS = 3000;

export interface FuzzOptions {
  readonly seed: number;
  readonly random: Random;
  readonly messages: number;
  /** When to stop in any case, in ms from now. */
  readonly mostMs: number;
  readonly largeBytes: number;
  readonly checks: Checks;
  readonly print: (line: string) => void;
}

/** Hostile devices against a receiver process, beside an honest one. */
export async function fuzzReceiver(options: FuzzOptions): Promise<void> {
  const { seed, random, messages, mostMs, largeBytes, checks, print } = options;
  await using folder = await temporaryFolder('hostile');
  const [store, tokens] = [join(folder.path, 'store'), join(folder.path, 'tokens.json')];
  await mkdir(store);
  await writeFile(join(folder.path, 'bystander'), 'untouched');
  const devices = Array.from({ length: DEVICES }, (_, n) => `mallory${n}`);
  const secrets = new Map<string, string>();
  for (const device of ['witness', ...devices]) secrets.set(device, await addToken(device, tokens));
  const reading = new Map<string, string>();
  for (const device of devices) reading.set(device, await addToken(device, tokens, ['--read']));
  const tokenFile = await writeTokenFile(folder.path, 'witness', secrets.get('witness')!);
  await using receiver = await startReceiver(store, {
    args: ['--tokens', tokens, '--retain', '1d'],
    env: COLLECTS_ON_SIGNAL,
  });
  using memory = new MemoryWatch(receiver.process);
  const idle = await memory.collected();

  const corpus = senderCorpus(seed);
  const senders = devices.map(
    (device) =>
      new HostileSender({
        url: receiver.url,
        token: secrets.get(device),
        readToken: reading.get(device),
        device,
        corpus,
        random: random.fork(),
      }),
  );
  const witness = new Witness({
    url: receiver.url,
    root: join(folder.path, 'witness'),
    copy: join(store, 'witness'),
    device: 'witness',
    tokenFile,
    largeBytes,
  });
  const sent = (): number => senders.reduce((sum, { tally }) => sum + tally.messages, 0);
  const began = performance.now();
  let warm: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (sent() > Math.min(WARM_UP, messages / 2)) warm ??= memory.setBaseline();
    if (performance.now() - began > mostMs) for (const sender of senders) sender.stop();
  }, 100);
  const report = setInterval(() => print(`${sent()} messages, receiver ${mebibytes(memory.recent)}`), 15_000);
  const watching = witness.run();
  await Promise.all(senders.map((sender) => sender.run(messages / DEVICES)));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(timer);
  clearInterval(report);
  witness.stop();
  await watching;
  await warm;
  await delay(Math.min(SETTLE_MS, 100 * seconds));
  const atEnd = await memory.collected();

  const sessions = senders.reduce((sum, { tally }) => sum + tally.sessions, 0);
  const faults = [...senders.flatMap(({ tally }) => tally.faults), ...faultLines(receiver.process.stderr)];
  print(
    `${sent()} messages in ${sessions} sessions and ${seconds.toFixed(0)} s; witness: ${witness.rounds} rounds; ` +
      `receiver: ${mebibytes(idle)} idle, ${mebibytes(memory.baseline)} warm, ${mebibytes(atEnd)} at the end, ` +
      `${mebibytes(memory.highest)} at most; closes: ${closes(senders)}`,
  );
  checks.check('the receiver lives', !receiver.process.over);
  checks.check(
    'the receiver told of no fault of its own',
    faults.length === 0,
    faults.slice(0, 5).join('; '),
  );
  checks.check(
    'its memory grew by no more than 50 MB',
    memory.baseline > 0 && atEnd - memory.baseline <= MOST_GROWTH_BYTES,
    mebibytes(atEnd - memory.baseline),
  );
  checks.check(
    "the honest device's transfers arrived whole and uncut",
    witness.faults.length === 0,
    witness.faults.join('; '),
  );
  const expected = ['.isync', ...devices, 'witness'];
  const found = (await readdir(store)).filter((name) => !expected.includes(name));
  checks.check("nothing lies outside of the devices' folders", found.length === 0, found.join(' '));
  const own = (await Promise.all(devices.map((device) => namesIn(join(store, device))))).flat();
  checks.check(
    'nothing is kept in a folder of the name .isync',
    own.every((name) => name.toLowerCase() !== '.isync'),
    own.join(' ').slice(0, 200),
  );
  const around = (await readdir(folder.path)).toSorted().join(' ');
  checks.check(
    'nothing lies outside of the store',
    around === 'bystander store tokens.json witness witness.token',
    around,
  );
  const parts = (await readdir(join(store, '.isync/staging/parts'))).length;
  checks.check('unfinished uploads are bounded', parts <= 64 * DEVICES, `${parts} are left`);
}

async function namesIn(folder: string): Promise<string[]> {
  return existsSync(folder) ? await readdir(folder) : [];
}

function closes(senders: readonly HostileSender[]): string {
  const sum = new Map<number, number>();
  for (const { tally } of senders)
    for (const [code, count] of tally.closes) sum.set(code, (sum.get(code) ?? 0) + count);
  return [...sum].map(([code, count]) => `${code} × ${count}`).join(', ');
}
