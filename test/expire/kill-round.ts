import { existsSync, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCli, startReceiver } from '../../harness/cli.ts';
import type { CliProcess } from '../../harness/process.ts';
import type { Random } from '../../harness/random.ts';
import { tamper, WHILE_AT_WORK, type Tampering } from './tamper.ts';
import { DEVICE, type World } from './world.ts';

/** In so many rounds something happens to the target while the run is at work, not before. */
const WHILE_AT_WORK_PART = 0.3;
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
  const later = random.chance(WHILE_AT_WORK_PART) ? new LateTampering(world, random.fork()) : undefined;
  const tampering = later === undefined ? tamper(world, random) : NOTHING_YET;
  const wired = random.chance(0.5) && existsSync(world.store);
  const mode = random.pick(['aside', 'aside', 'time', 'time', 'end'] as const);
  const waitMs = mode === 'aside' ? random.int(0, 25) : random.int(0, 1500);
  const cutMs = wired && random.chance(0.2) ? random.int(0, 1500) : undefined;
  const cut = cutMs !== undefined;
  const { killed, log, exitCode } = await withTarget(world, { wired, cutMs }, (to) => {
    later?.begin(random.int(0, 1500));
    return run(world, to, mode, waitMs).finally(() => later?.end());
  });
  const goneOnItsWord = later?.goneSince() ?? [];
  // What had gone before was compared with the store that comes back now.
  if (later !== undefined) later.undo();
  const wrong = world.check();
  tampering.undo();
  if (goneOnItsWord.length > 1)
    wrong.push(`${goneOnItsWord.join(', ')} have gone after the target was another one`);
  if (later === undefined && tampering.name === 'is as it was' && mode === 'end' && !cut && exitCode !== 0)
    wrong.push(`nothing was wrong, and the run ended with ${exitCode}`);
  if (tampering.isOther && world.goneFiles > before.gone)
    wrong.push(`${world.goneFiles - before.gone} files have gone on the word of another store`);
  const what = later === undefined ? tampering.name : later.name;
  const how = killed ? `killed (${mode} + ${waitMs} ms)` : `ended with ${exitCode}`;
  const counts = `${world.goneFiles - before.gone} files gone, ${before.aside} → ${world.aside.length} aside`;
  return {
    wrong,
    told: `${wired ? `receiver${cut ? ' (killed)' : ''}` : 'folder'} ${what}: ${how}; ${counts}`,
    log,
    killed,
  };
}

const NOTHING_YET: Tampering = { name: 'is as it was', isOther: false, undo: () => undefined };

/** Makes another target of it while a run is at work. */
class LateTampering {
  readonly #world: World;
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;
  #tampering: Tampering | undefined;
  #thereThen: readonly string[] = [];

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  get name(): string {
    return this.#tampering === undefined ? 'is as it was' : `${this.#tampering.name} from some moment on`;
  }

  begin(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#tampering = tamper(this.#world, this.#random, WHILE_AT_WORK);
      this.#thereThen = this.#there();
    }, waitMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** Directories that were still there, whole or set aside, when it happened. One may have been on its way out, and go. */
  goneSince(): string[] {
    const now = new Set(this.#there());
    return this.#thereThen.filter((name) => !now.has(name));
  }

  undo(): void {
    this.#tampering?.undo();
  }

  #there(): string[] {
    return [...this.#world.ready, ...this.#world.aside.map((name) => name.replace('.isync-expire-', ''))];
  }
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
