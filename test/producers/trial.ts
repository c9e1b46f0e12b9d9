import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../harness/random.ts';
import { freePort } from '../faults/round-setup.ts';
import { Victim } from '../faults/victim.ts';
import { filesBelow, isSealed, temporaryFolder } from '../../harness/data-tree.ts';
import { directoriesOf, isClosed, lackingOf } from '../../harness/lacking.ts';
import { PRELUDE, type Producer } from './producer.ts';

const DEVICE = 'edge1';
/** A data directory is filled for so many rounds, and stays open for as many more. */
const ROUNDS_EACH = 4;
const MIN_ROUNDS = 3 * ROUNDS_EACH;
/** Longest pause between two rounds, in ms. */
const PAUSE_MS = 150;
/** The scan is killed so soon after its start, in ms: while it starts, or at work. */
const KILLED_EARLY_MS = { low: 0, high: 500 };
const KILLED_LATE_MS = { low: 500, high: 1300 };
const RECEIVER_KILLED_TOO = 0.25;
/** How long the last seals may take, in ms. */
const SEALS_MS = 180_000;
/** How long it may take until a copied seal is seen through, in ms. */
const LOOKED_INTO_MS = 20_000;
const LOOK_MS = 50;

export interface TrialResult {
  /** What went wrong, a line each. */
  readonly broken: readonly string[];
  /** What happened, in a few words. */
  readonly told: string;
  readonly log: string;
}

/** One producer at work, a scan that is killed again and again, and then: is every sealed directory whole at the target? */
export async function runTrial(producer: Producer, seed: number, kills: number): Promise<TrialResult> {
  const random = new Random(seed);
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder(`producer-${producer.name}`));
  const port = await freePort(random.fork());
  const trial = new Trial(producer, folder, port, random);
  stack.defer(() => trial.destroy());
  let broken: string[];
  try {
    broken = await trial.run(kills);
  } catch (thrown) {
    broken = [thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)];
  }
  return { broken, told: await trial.told(), log: trial.log };
}

class Trial {
  readonly #producer: Producer;
  readonly #random: Random;
  readonly #root: string;
  readonly #out: string;
  readonly #store: string;
  readonly #receiver: Victim;
  readonly #sender: Victim;
  readonly #seen = new Set<string>();
  readonly #broken: string[] = [];
  readonly #startedMs = performance.now();
  #rounds = 0;
  #kills = 0;
  #receiverKills = 0;

  constructor(producer: Producer, folder: string, port: number, random: Random) {
    this.#producer = producer;
    this.#random = random;
    this.#root = join(folder, 'root');
    this.#out = join(folder, 'out');
    this.#store = join(folder, 'store');
    for (const path of [this.#root, this.#out, this.#store]) mkdirSync(path);
    const listen = `127.0.0.1:${port}`;
    const victim = (name: string, args: readonly string[]): Victim =>
      new Victim({ name, args, uid: undefined });
    this.#receiver = victim('receiver', ['receive', this.#store, '--listen', listen]);
    const to = `ws://${listen}`;
    const scan = ['scan', this.#root, '--to', to, '--device', DEVICE, ...(producer.scanArgs ?? [])];
    this.#sender = victim('sender', scan);
  }

  get log(): string {
    return [this.#receiver, this.#sender].map(({ name, output }) => `=== ${name}\n${output}`).join('\n');
  }

  async told(): Promise<string> {
    const directories = directoriesOf(this.#root).length;
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(1);
    return `${this.#kills} kills, ${this.#receiverKills} of the receiver; ${this.#rounds} rounds, ${(await filesBelow(this.#root)).size} files in ${directories} directories; ${seconds} s`;
  }

  destroy(): void {
    this.#sender.destroy();
    this.#receiver.destroy();
  }

  /** What went wrong. */
  async run(kills: number): Promise<string[]> {
    this.#receiver.start();
    this.#sender.start();
    const ended = new AbortController();
    const looking = this.#lookAtSeals(ended.signal);
    try {
      const killing = this.#killAll(kills);
      let over = false;
      void killing.then(() => (over = true));
      await this.#produce(() => over);
      await killing;
      const unsealed = await this.#untilSealed();
      const early = this.#sealed().filter((directory) => !this.#expected().includes(directory));
      return [
        ...unsealed.map((directory) => `not sealed: ${directory}`),
        ...early.map((directory) => `sealed though nobody closed it and it is empty: ${directory}`),
        ...(await this.#lacking()),
      ];
    } finally {
      ended.abort();
      await looking;
    }
  }

  async #killAll(kills: number): Promise<void> {
    const random = this.#random.fork();
    for (; this.#kills < kills; this.#kills++) {
      const { low, high } = random.chance(0.5) ? KILLED_EARLY_MS : KILLED_LATE_MS;
      await sleep(random.int(low, high));
      if (random.chance(RECEIVER_KILLED_TOO)) {
        await this.#receiver.kill();
        this.#receiverKills++;
      }
      await this.#sender.kill();
    }
  }

  async #produce(isOver: () => boolean): Promise<void> {
    const random = this.#random.fork();
    const { before, round, neverCloses } = this.#producer;
    if (before !== undefined) await this.#shell(before, random, '', '');
    let [previous, current] = ['', 'DC0'];
    mkdirSync(join(this.#root, current));
    for (; this.#rounds < MIN_ROUNDS || !isOver(); this.#rounds++) {
      if (this.#rounds % ROUNDS_EACH === 0) {
        if (previous !== '' && neverCloses !== true) this.#close(previous);
        previous = current;
        current = `DC${1 + this.#rounds / ROUNDS_EACH}`;
        mkdirSync(join(this.#root, current));
      }
      await this.#shell(round, random, previous, current);
      await sleep(random.int(0, PAUSE_MS));
    }
    // Neither the newest nor an empty one is sealed without its marker.
    if (neverCloses === true) mkdirSync(join(this.#root, 'newest'));
    else
      for (const directory of directoriesOf(this.#root))
        if (!isClosed(this.#root, directory)) this.#close(directory);
  }

  #close(directory: string): void {
    writeFileSync(join(this.#root, directory, 'finished.parse'), '');
  }

  async #shell(script: string, random: Random, previous: string, current: string): Promise<void> {
    const child = spawn('bash', ['-c', `${PRELUDE}\n${script}`], {
      cwd: this.#out,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        ROOT: this.#root,
        OUT: this.#out,
        DIR: join(this.#root, current),
        PREV: join(this.#root, previous),
        N: String(this.#rounds),
        SEED: String(random.int(1, 32_000)),
      },
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('exit', (code) => resolve(code));
    });
    const [code, stderr] = await Promise.all([ended, text(child.stderr)]);
    if (code !== 0) throw new Error(`${this.#producer.name} itself failed with ${code}: ${stderr}`);
  }

  /** At the moment when a seal is seen, everything is at the target already. */
  async #lookAtSeals(signal: AbortSignal): Promise<void> {
    for (; !signal.aborted; await sleep(LOOK_MS)) {
      if (this.#producer.copiesSeals === true) continue;
      for (const directory of this.#sealed())
        if (!this.#seen.has(directory)) {
          this.#seen.add(directory);
          const lacking = await lackingOf(this.#root, this.#copy, directory);
          this.#broken.push(...lacking.map((line) => `when it was sealed: ${line}`));
        }
    }
  }

  /** Directories that have no seal in the end. */
  async #untilSealed(): Promise<string[]> {
    const startMs = performance.now();
    for (;;) {
      const unsealed = this.#expected().filter((directory) => !isSealed(this.#root, directory));
      const waitedMs = performance.now() - startMs;
      if (waitedMs > SEALS_MS) return unsealed;
      if (unsealed.length === 0) {
        if (this.#producer.copiesSeals !== true || waitedMs > LOOKED_INTO_MS) return [];
        if ((await this.#lacking()).length === 0) return [];
      }
      await sleep(LOOK_MS);
    }
  }

  #expected(): string[] {
    return directoriesOf(this.#root).filter(
      (directory) =>
        isClosed(this.#root, directory) ||
        readdirSync(join(this.#root, directory)).some((name) => name !== 'finished.watch'),
    );
  }

  #sealed(): string[] {
    return directoriesOf(this.#root).filter((directory) => isSealed(this.#root, directory));
  }

  async #lacking(): Promise<string[]> {
    const lacking = [...this.#broken];
    for (const directory of this.#sealed())
      lacking.push(...(await lackingOf(this.#root, this.#copy, directory)));
    return lacking;
  }

  get #copy(): string {
    return join(this.#store, DEVICE);
  }
}
