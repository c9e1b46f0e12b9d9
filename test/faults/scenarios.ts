import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { until } from '../../harness/process.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import type { Gap } from '../../harness/gaps.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { decodeContent, encodeBlock } from './content.ts';
import { available } from './machine.ts';
import { freePort } from './round-setup.ts';
import { Random } from '../../harness/random.ts';
import { twoScansOneFolder } from './two-scans.ts';
import { Victim } from './victim.ts';

/** Something that must happen in one particular way. */
export interface Scenario {
  readonly name: string;
  /** Why it can't be tried on this machine. */
  readonly impossible?: Gap | undefined;
  /** Resolves to what is worth telling; rejects where it went wrong. */
  readonly run: () => Promise<string>;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'burst-while-stopped', run: burstWhileStopped },
  { name: 'order-of-system-calls', impossible: available('strace'), run: orderOfSystemCalls },
  { name: 'half-open-link', run: halfOpenLink },
  {
    name: 'killed-between-rename-and-ack',
    impossible: available('strace that kills'),
    run: killedBetweenRenameAndAck,
  },
  { name: 'two-scans-one-folder', impossible: available('strace'), run: twoScansOneFolder },
];

const BURST_FILES = 50_000;
const BURST_MS = 10_000;
/** How soon after SIGCONT the first of what was missed must be at the target, in ms. */
const FOUND_WITHIN_MS = 15_000;
/** How soon a dead link must be noticed and replaced, in ms: 30 s, and the pause before the next try. */
const HALF_OPEN_MS = 35_000;
/** How long a slow disk may take for the burst, in ms. */
const SENT_WITHIN_MS = 300_000;

/** What order.test.ts has to say; on its own it runs with all other tests as well. */
async function orderOfSystemCalls(): Promise<string> {
  const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
  const child = spawn(process.execPath, [vitest, 'run', 'test/faults/order.test.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = await text(child.stdout);
  const { exitCode } = child.exitCode === null ? await once(child, 'close').then(() => child) : child;
  if (exitCode !== 0) throw new Error(output);
  return 'content, name, folders, acknowledgement, mark, seal';
}

/** Three times what the kernel's event queue holds, while nobody reads it: all of it must be found by listing. */
async function burstWhileStopped(): Promise<string> {
  await using pair = await startPair();
  mkdirSync(join(pair.root, 'DC1'));
  writeFileSync(join(pair.root, 'DC1', 'first'), encodeBlock({ id: 0, length: 10 }));
  pair.receiver.start();
  pair.sender.start();
  const copy = join(pair.copy, 'DC1');
  await until('the first file to arrive', () => existsSync(join(copy, 'first')));
  pair.sender.signal('SIGSTOP');
  const startMs = performance.now();
  for (let index = 0; index < BURST_FILES; index++) {
    writeFileSync(join(pair.root, 'DC1', `file-${index}`), encodeBlock({ id: index, length: 100 }));
    const earlyMs = startMs + (index / BURST_FILES) * BURST_MS - performance.now();
    if (earlyMs > 20) await sleep(earlyMs);
  }
  const stoppedMs = performance.now() - startMs;
  pair.sender.signal('SIGCONT');
  const continuedMs = performance.now();
  const arrived = (): number => readdirSync(copy).length - 1;
  await until('the first file of the burst', () => arrived() > 0, SENT_WITHIN_MS);
  const foundMs = performance.now() - continuedMs;
  await until(`all ${BURST_FILES} files`, () => arrived() === BURST_FILES, SENT_WITHIN_MS);
  const sentMs = performance.now() - continuedMs;
  writeFileSync(join(pair.root, 'DC1', 'finished.parse'), '');
  await until('the seal', () => existsSync(join(pair.root, 'DC1', 'finished.watch')), SENT_WITHIN_MS);
  for (let index = 0; index < BURST_FILES; index++) {
    const { version, rest } = decodeContent(readFileSync(join(copy, `file-${index}`)));
    if (version !== String(index) || rest !== 'none') throw new Error(`file-${index} is torn`);
  }
  if (foundMs > FOUND_WITHIN_MS) throw new Error(`the first one came ${foundMs} ms after SIGCONT`);
  return `${BURST_FILES} files in ${seconds(stoppedMs)} of SIGSTOP; first at the target ${seconds(foundMs)} after SIGCONT, all of them after ${seconds(sentMs)}`;
}

/** Every byte of either side vanishes, and no connection is ever closed: both sides must notice by themselves. */
async function halfOpenLink(): Promise<string> {
  await using pair = await startPair();
  pair.receiver.start();
  pair.sender.start();
  mkdirSync(join(pair.root, 'DC1'));
  writeFileSync(join(pair.root, 'DC1', 'first'), encodeBlock({ id: 0, length: 10 }));
  const copy = join(pair.copy, 'DC1');
  await until('the first file to arrive', () => existsSync(join(copy, 'first')));
  // What is connected now is dead for ever; a new connection would work.
  pair.proxy.deaden();
  writeFileSync(join(pair.root, 'DC1', 'second'), encodeBlock({ id: 1, length: 10 }));
  const startMs = performance.now();
  await until('the second file to arrive', () => existsSync(join(copy, 'second')), HALF_OPEN_MS);
  return `noticed, and the next file at the target, after ${seconds(performance.now() - startMs)}`;
}

/** The file is at the target, and its sender does not know: it is sent again, and nothing is different for it. */
async function killedBetweenRenameAndAck(): Promise<string> {
  await using pair = await startPair();
  mkdirSync(join(pair.root, 'DC1'));
  const source = join(pair.root, 'DC1', 'file');
  const copy = join(pair.copy, 'DC1', 'file');
  const content = encodeBlock({ id: 1, length: 5000 });
  writeFileSync(source, content);
  await makeIdentity(dirname(pair.copy));
  // Two make the store's id durable; the next is that of the content; the one after it comes after the rename, and before
  // the acknowledgement.
  pair.receiver.start({ oneThread: true, dieAt: { syscalls: 'fsync', when: 4 } });
  pair.sender.start();
  await until('the receiver to be killed', () => pair.receiver.ends.has('killed at fsync'));
  const atDeath = { there: existsSync(copy), mode: lstatSync(source).mode & 0o777 };
  if (!atDeath.there || atDeath.mode !== 0o644)
    throw new Error(`killed at another moment: ${JSON.stringify(atDeath)}`);
  const before = lstatSync(copy);
  await until('the mark', () => (lstatSync(source).mode & 0o020) !== 0);
  if (!readFileSync(copy).equals(content)) throw new Error('the copy is another one');
  const after = lstatSync(copy);
  if (after.ino === before.ino) throw new Error('it was not sent again');
  if (readdirSync(join(pair.copy, 'DC1')).length !== 1) throw new Error('there is more than the file');
  return 'published without an acknowledgement, unmarked until it was sent again, kept once';
}

/** Or the store would sync its own id first. */
async function makeIdentity(folder: string): Promise<void> {
  await using store = await openFileStore(folder);
  await store.identity();
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

async function startPair() {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('faults'));
  const root = join(folder, 'root');
  const store = join(folder, 'store');
  for (const path of [root, store]) mkdirSync(path);
  const port = await freePort(new Random(process.pid));
  const listen = `127.0.0.1:${port}`;
  const victim = (name: string, args: readonly string[]): Victim => {
    const victim = new Victim({ name, args, uid: undefined });
    stack.defer(async () => {
      await victim.stop();
      victim.destroy();
    });
    return victim;
  };
  const proxy = stack.use(await faultyProxy(port));
  const receiver = victim('receiver', ['receive', store, '--listen', listen]);
  const sender = victim('sender', ['scan', root, '--to', proxy.url, '--device', 'edge1']);
  const owned = stack.move();
  return {
    root,
    copy: join(store, 'edge1'),
    proxy,
    receiver,
    sender,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}
