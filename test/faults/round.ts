import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { openFarSide, type FarSide } from './far-side.ts';
import type { Fault, Stage } from './fault.ts';
import { Model } from './model.ts';
import type { Observed } from './observer.ts';
import { openCopy } from './open-copy.ts';
import { Ground, setUp, type Setup } from './round-setup.ts';
import { Seals } from './seals.ts';
import { isOfHalf } from './told-once.ts';
import { verifyStaging, verifyTarget } from './verify.ts';
import { processesIn, Victim } from './victim.ts';
import { limitNow, Waits } from './waits.ts';

/** How long its remains may take to be cleared away, in ms. */
const CLEAR_MS = 20_000;
/** Faults begin within so many ms of the parser's start. */
const FAULTS_WITHIN_MS = 2500;
/** How long a daemon may take to seal all before `scan --once` comes to finish it, in ms. */
const SHORT_MS = 15_000;
/** How often a round's limit is looked at, in ms. */
const LIMIT_LOOK_MS = 1000;
/** How often a condition is looked at, in ms. */
const LOOK_MS = 50;
const MAX_ONCE = 6;
/** How long what isync has started may outlive it, in ms. */
const HELPERS_END_MS = 20_000;

export interface RoundResult {
  readonly setup: Setup;
  /** What went wrong, a line each; none where all promises were kept. */
  readonly broken: readonly string[];
  /** Directories that the parser left alone for too long, on a busy machine: nothing that went wrong is proof then. */
  readonly neglected: readonly string[];
  readonly seconds: number;
  readonly observed: Observed;
  readonly files: number;
  /** How the processes ended, beside the ends they were made to. */
  readonly ends: ReadonlyMap<string, number>;
  /** Everything that the processes said. */
  readonly log: string;
  readonly folder: string;
}

/** One round: a parser at work, faults, and what is true all along and in the end. */
export async function runRound(seed: number, faults: readonly Fault[], keep: boolean): Promise<RoundResult> {
  const setup = setUp(seed, faults);
  using ground = new Ground(setup);
  const round = new Round(setup, ground);
  const startedMs = performance.now();
  const broken = await round.run();
  ground.keep = keep && broken.length > 0;
  if (ground.keep) await round.saveCopy();
  await round.clearAway();
  return {
    setup,
    broken,
    neglected: round.neglected,
    seconds: (performance.now() - startedMs) / 1000,
    observed: round.observed,
    files: round.model.final.size,
    ends: round.ends,
    log: round.log,
    folder: ground.folder,
  };
}

class Round {
  readonly model: Model;
  observed: Observed = { marksSeen: 0, sealsSeen: 0, filesRead: 0 };
  neglected: readonly string[] = [];
  readonly #setup: Setup;
  readonly #ground: Ground;
  readonly #toBeSealed: readonly string[];
  readonly #children: ChildProcess[] = [];
  readonly #over = new AbortController();
  readonly #waits = new Waits();
  readonly #victims: Victim[] = [];
  #far: FarSide | undefined;
  #onceLog = '';

  constructor(setup: Setup, ground: Ground) {
    this.#setup = setup;
    this.#ground = ground;
    this.model = new Model(setup.plan);
    this.#toBeSealed = setup.plan.directories.filter((directory) => this.model.isToBeSealed(directory));
  }

  get log(): string {
    return this.#victims
      .map((victim) => `=== ${victim.name}\n${victim.output}`)
      .concat(this.#onceLog)
      .join('\n');
  }

  get ends(): Map<string, number> {
    const ends = new Map<string, number>();
    for (const victim of this.#victims)
      for (const [how, times] of victim.ends) if (how !== 'SIGKILL') ends.set(`${victim.name} ${how}`, times);
    return ends;
  }

  /** What went wrong; that it took too long, and what for, is told as such. */
  async run(): Promise<string[]> {
    const limit = Promise.withResolvers<string[]>();
    const startedMs = performance.now();
    const timer = setInterval(() => {
      const seconds = (performance.now() - startedMs) / 1000;
      if (seconds < limitNow()) return;
      const waits = `not over after ${seconds.toFixed()} s: waits for ${this.#waits.toString()}`;
      limit.resolve([waits, ...this.#unfinished()]);
      this.#over.abort();
    }, LIMIT_LOOK_MS);
    const broken = this.#play().catch((thrown: unknown) => [inspect(thrown)]);
    try {
      return await Promise.race([broken, limit.promise]);
    } finally {
      clearInterval(timer);
    }
  }

  /** What the target holds, beside the root, for whoever is to find out what went wrong. */
  async saveCopy(): Promise<void> {
    if (this.#far === undefined || this.#setup.target.store === 'folder') return;
    try {
      using copy = await openCopy(this.#far.place);
      for await (const { path } of copy.list()) {
        const content = await copy.read(path);
        const file = join(this.#ground.folder, 'copy', path);
        mkdirSync(dirname(file), { recursive: true });
        if (content !== undefined) writeFileSync(file, content.bytes);
      }
    } catch (thrown) {
      this.#onceLog += `=== the copy could not be saved: ${String(thrown)}\n`;
    }
  }

  /** Ends what this round has started, and nothing else. */
  async clearAway(): Promise<void> {
    this.#over.abort();
    for (const child of this.#children) child.kill('SIGKILL');
    for (const victim of this.#victims) victim.destroy();
    await Promise.race([this.#far?.[Symbol.asyncDispose](), sleep(CLEAR_MS, undefined, { ref: false })]);
  }

  async #play(): Promise<string[]> {
    const { root, planFile } = this.#ground;
    const { uid, senderDelayMs, faults } = this.#setup;
    const far = await this.#waits.during(
      'the target to be opened',
      openFarSide(this.#setup, this.#ground, this.#over.signal),
    );
    this.#far = far;
    if (this.#over.signal.aborted) await far[Symbol.asyncDispose]();
    this.#over.signal.throwIfAborted();
    if (far.receiver !== undefined) this.#victims.push(far.receiver);
    const sender = new Victim({ name: 'sender', args: this.#scanArgs(far), uid, env: far.env });
    this.#victims.push(sender);
    const lenient = String(faults.some((fault) => fault.lenient === true));
    const observer = this.#child('observer.ts', [root, JSON.stringify(far.place), planFile, lenient]);
    const parser = this.#child('parser.ts', [root, planFile], uid);
    const started = this.#pause(senderDelayMs).then(() => sender.start());
    await Promise.all([
      started,
      this.#strike(far, sender),
      this.#waits.during('the parser to end', parser.ended),
    ]);
    if (parser.child.exitCode !== 0) throw new Error(`the parser failed: ${parser.output()}`);
    const unfinished = await this.#finish(far, sender);
    observer.child.kill('SIGTERM');
    await this.#waits.during('the observer to end', observer.ended);
    const { heldUp, neglected } = JSON.parse(parser.output()) as { heldUp: string[]; neglected: string[] };
    this.neglected = neglected;
    const isExcused = (line: string): boolean => heldUp.some((path) => isOfHalf(path, line));
    const broken = [
      ...unfinished,
      ...this.#readObserver(observer.output()),
      ...(await this.#stopped(sender)),
      ...(await this.#leftRunning()),
      ...(await this.#verify(far)),
      ...this.#blunders(),
    ];
    return broken.filter((line) => !isExcused(line));
  }

  #scanArgs({ to, args }: FarSide): string[] {
    const { device, scanArgs } = this.#setup;
    const { root } = this.#ground;
    return ['scan', root, '--to', to, ...args, '--device', device, '--log-level', 'debug', ...scanArgs];
  }

  async #strike({ receiver, proxy, bucketLink, trouble }: FarSide, sender: Victim): Promise<void> {
    const { faults, random, device, target } = this.#setup;
    const { root, store } = this.#ground;
    const links = { receiver, proxy, bucketLink, trouble };
    await Promise.all(
      faults.map(async (fault) => {
        const own = random.fork();
        const pause = async (ms: number): Promise<void> => await this.#pause(ms);
        const stage: Stage = { random: own, root, store, device, target, sender, ...links, pause };
        await pause(own.int(0, FAULTS_WITHIN_MS));
        if (fault.alone === true) await this.#bothStand(sender, receiver);
        await this.#waits.during(`the fault ${fault.name} to end`, fault.strike(stage));
      }),
    );
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal });
  }

  /** Both sides have opened what they work on. */
  async #bothStand(sender: Victim, receiver: Victim | undefined): Promise<void> {
    const stands = (): boolean =>
      sender.output.includes('"msg":"directory ') && (receiver?.output.includes('listening') ?? true);
    const standing = async (): Promise<void> => {
      while (!stands()) await this.#pause(LOOK_MS);
    };
    await this.#waits.during('both sides to stand', standing());
  }

  /** Until every directory is sealed: by the daemon, or by `--once`, which must say itself that all is well. */
  async #finish(far: FarSide, sender: Victim): Promise<string[]> {
    const { finish, uid } = this.#setup;
    if (finish !== 'once') {
      const untilMs = performance.now() + (finish === 'daemon' ? Infinity : SHORT_MS);
      const sealed = async (): Promise<void> => {
        while (this.#unsealed().length > 0 && performance.now() < untilMs) await this.#pause(LOOK_MS);
      };
      await this.#waits.during('the daemon to seal', sealed());
      if (this.#unsealed().length === 0) return [];
    }
    const stopped = await this.#stopped(sender);
    for (let tries = 0; tries < MAX_ONCE; tries++) {
      this.#over.signal.throwIfAborted();
      const once = new Victim({
        name: 'once',
        args: [...this.#scanArgs(far), '--once'],
        uid,
        env: far.env,
      });
      this.#victims.push(once);
      const exitCode = await this.#waits.during('--once to end', once.run());
      if (exitCode === 0) break;
    }
    return [...stopped, ...this.#unfinished()];
  }

  #unfinished(): string[] {
    return this.#unsealed().map((directory) => `not sealed: ${directory}`);
  }

  #unsealed(): string[] {
    const seals = new Seals(this.#ground.root, this.#setup.plan);
    return this.#toBeSealed.filter((directory) => !seals.has(directory));
  }

  /** Once the sender has ended. What a receiver keeps in its memory is looked at before that one ends, too. */
  async #verify({ receiver, place }: FarSide): Promise<string[]> {
    const { root, store } = this.#ground;
    const faults: string[] = [];
    const end = async (): Promise<void> => {
      if (receiver !== undefined) faults.push(...(await this.#stopped(receiver)));
    };
    using copy = await openCopy(place);
    if (place.store !== 'memory') await end();
    faults.push(...(await this.#waits.during('the target to be read', verifyTarget(this.model, root, copy))));
    if (place.store === 'memory') await end();
    if (place.store === 'folder') faults.push(...(await verifyStaging(store)));
    return faults;
  }

  /** Whatever became of isync, what it has started ends with it. */
  async #leftRunning(): Promise<string[]> {
    const deadline = performance.now() + HELPERS_END_MS;
    for (;;) {
      const left = processesIn(this.#ground.root);
      if (left.length === 0) return [];
      if (performance.now() > deadline) return left.map((name) => `left running: ${name}`);
      await this.#pause(LOOK_MS);
    }
  }

  async #stopped(victim: Victim): Promise<string[]> {
    const exitCode = await this.#waits.during(`the ${victim.name} to end`, victim.stop());
    return exitCode === null ? [`the ${victim.name} did not end at SIGTERM`] : [];
  }

  #readObserver(output: string): string[] {
    const lines = output.trim().split('\n');
    try {
      this.observed = JSON.parse(lines.pop() ?? '') as Observed;
    } catch (thrown) {
      return [`the observer failed: ${String(thrown)}: ${output}`];
    }
    return lines;
  }

  /** Faults of isync's own, whatever it made of them. */
  #blunders(): string[] {
    const blunders = this.log
      .split('\n')
      .filter((line) => /"code":"INTERNAL"|\[INTERNAL\]|\.[tj]s:\d+:\d+\)/.test(line));
    return [...new Set(blunders)].slice(0, 5);
  }

  #child(file: string, args: readonly string[], uid?: number) {
    const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#children.push(child);
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return { child, ended, output: () => output };
  }
}
