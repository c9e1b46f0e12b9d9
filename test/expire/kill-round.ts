import { existsSync, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCli, startReceiver } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Random } from '../../harness/random.ts';
import { tamper } from './tamper.ts';
import { DEVICE, type World } from './world.ts';

/** A run that is not killed ends within this, in ms. */
const PATIENCE_MS = 120_000;

export interface Round {
  /** A line each. */
  readonly wrong: readonly string[];
  readonly told: string;
  readonly log: string;
  readonly killed: boolean;
}

/** One run of `isync expire` with a target that something has happened to; mostly killed at some moment. */
export async function killRound(world: World, random: Random): Promise<Round> {
  await world.refill();
  const before = { gone: world.goneFiles, aside: world.aside.length };
  const tampering = tamper(world, random);
  const wired = random.chance(0.5) && existsSync(world.store);
  const mode = random.pick(['aside', 'aside', 'time', 'time', 'end'] as const);
  const waitMs = mode === 'aside' ? random.int(0, 25) : random.int(0, 1500);
  const cutMs = wired && random.chance(0.2) ? random.int(0, 1500) : undefined;
  const cut = cutMs !== undefined;
  const { killed, log, exitCode } = await withTarget(world, { wired, cutMs }, (to) =>
    run(world, to, mode, waitMs),
  );
  const wrong = world.check();
  tampering.undo();
  if (tampering.name === 'is as it was' && mode === 'end' && !cut && exitCode !== 0)
    wrong.push(`nothing was wrong, and the run ended with ${exitCode}`);
  if (tampering.isOther && world.goneFiles > before.gone)
    wrong.push(`${world.goneFiles - before.gone} files have gone on the word of another store`);
  const how = killed ? `killed (${mode} + ${waitMs} ms)` : `ended with ${exitCode}`;
  const counts = `${world.goneFiles - before.gone} files gone, ${before.aside} → ${world.aside.length} aside`;
  return {
    wrong,
    told: `${wired ? `receiver${cut ? ' (killed)' : ''}` : 'folder'} ${tampering.name}: ${how}; ${counts}`,
    log,
    killed,
  };
}

/** Runs to the end with a target that is as it was: nothing may be left. */
export async function lastRound(world: World): Promise<string[]> {
  const { exitCode, log } = await run(world, world.store, 'end', 0);
  const left = [...world.ready, ...world.aside];
  return [
    ...world.check(),
    ...(exitCode === 0 ? [] : [`the last run ended with ${exitCode}: ${log}`]),
    ...left.map((name) => `${name} is left`),
  ];
}

interface Link {
  /** Whether a receiver stands in front of the store. */
  readonly wired: boolean;
  /** When that is killed, in ms; undefined: it is not. */
  readonly cutMs: number | undefined;
}

async function withTarget<T>(
  world: World,
  { wired, cutMs }: Link,
  use: (to: string) => Promise<T>,
): Promise<T> {
  if (!wired) return await use(world.store);
  await using receiver = await startReceiver(world.store);
  const timer = cutMs === undefined ? undefined : setTimeout(() => receiver.process.signal('SIGKILL'), cutMs);
  try {
    return await use(receiver.url);
  } finally {
    clearTimeout(timer);
  }
}

async function run(world: World, to: string, mode: 'aside' | 'time' | 'end', waitMs: number) {
  const args = ['expire', world.root, '--to', to, '--device', DEVICE, '--keep', '0', '--keep-at-least', '0'];
  await using cli = startCli([...args, '--retry-for', '3']);
  let killed = false;
  const kill = (): void => {
    killed = true;
    cli.signal('SIGKILL');
  };
  const watching = mode === 'aside' ? onAside(world.root, () => setTimeout(kill, waitMs)) : undefined;
  const over = new AbortController();
  const end = endOf(cli).finally(() => over.abort());
  if (mode === 'time') await sleep(waitMs, undefined, { signal: over.signal }).then(kill, () => undefined);
  const { exitCode, stdout, stderr } = await end.finally(() => watching?.[Symbol.dispose]());
  return { exitCode, killed: killed && exitCode === null, log: `${stdout}${stderr}` };
}

function endOf(cli: CliProcess) {
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('isync expire does not end')), PATIENCE_MS).unref();
  });
  return Promise.race([cli.ended, late]);
}

/** Calls `act` once, when a directory is set aside. */
function onAside(root: string, act: () => void): Disposable {
  let done = false;
  const watcher = watch(root, (_event, name) => {
    if (done || name?.startsWith('.isync-expire-') !== true) return;
    done = true;
    act();
  });
  return { [Symbol.dispose]: () => watcher.close() };
}
