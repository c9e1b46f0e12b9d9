import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { faultyProxy, type FaultyProxy } from '../suites/faulty-proxy.ts';
import type { Stage } from './fault.ts';
import { Model } from './model.ts';
import type { Observed } from './observer.ts';
import { freePort, Ground, setUp, type Setup } from './round-setup.ts';
import type { Fault } from './fault.ts';
import { Seals } from './seals.ts';
import { halfAtTarget } from './told-once.ts';
import { verifyTarget } from './verify.ts';
import { processesIn, Victim } from './victim.ts';

/** Faults begin within so many ms of the parser's start. */
const FAULTS_WITHIN_MS = 2500;
/** How long a daemon may take to seal all after the last fault, in ms: longer than its longest pause between two tries. */
const DAEMON_MS = 120_000;
/** The same where `scan --once` comes to finish it. */
const SHORT_MS = 15_000;
const MAX_ONCE = 6;
/** How long what isync has started may outlive it, in ms. */
const HELPERS_END_MS = 5_000;

export interface RoundResult {
  readonly setup: Setup;
  /** What went wrong, a line each; none where all promises were kept. */
  readonly broken: readonly string[];
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
  const broken: string[] = [];
  try {
    broken.push(...(await round.run()));
  } catch (thrown) {
    broken.push(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  } finally {
    await round.destroy();
  }
  ground.keep = keep && broken.length > 0;
  return {
    setup,
    broken,
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
  readonly #setup: Setup;
  readonly #ground: Ground;
  readonly #children: ChildProcess[] = [];
  #sender: Victim | undefined;
  #receiver: Victim | undefined;
  #proxy: FaultyProxy | undefined;
  #onceLog = '';

  constructor(setup: Setup, ground: Ground) {
    this.#setup = setup;
    this.#ground = ground;
    this.model = new Model(setup.plan);
  }

  get log(): string {
    return [this.#receiver, this.#sender]
      .map((victim) => `=== ${victim?.name}\n${victim?.output}`)
      .concat(this.#onceLog)
      .join('\n');
  }

  get ends(): Map<string, number> {
    const ends = new Map<string, number>();
    for (const victim of [this.#receiver, this.#sender])
      for (const [how, times] of victim?.ends ?? [])
        if (how !== 'SIGKILL') ends.set(`${victim?.name} ${how}`, times);
    return ends;
  }

  async run(): Promise<string[]> {
    const { root, store, planFile } = this.#ground;
    const { device, uid, link, senderDelayMs, faults } = this.#setup;
    const to = link ? await this.#openLink() : store;
    const sender = new Victim({ name: 'sender', args: this.#scanArgs(to), uid });
    this.#sender = sender;
    const lenient = String(faults.some((fault) => fault.lenient === true));
    const observer = this.#child('observer.ts', [root, join(store, device), planFile, lenient]);
    const parser = this.#child('parser.ts', [root, planFile], uid);
    const started = sleep(senderDelayMs).then(() => sender.start());
    await Promise.all([started, this.#strike(sender), parser.ended]);
    if (parser.child.exitCode !== 0) throw new Error(`the parser failed: ${parser.output()}`);
    const unfinished = await this.#finish(to, sender);
    observer.child.kill('SIGTERM');
    await observer.ended;
    const { heldUp } = JSON.parse(parser.output()) as { heldUp: string[] };
    const seen = this.#readObserver(observer.output()).filter(
      (line) => !heldUp.some((path) => line.startsWith(`${halfAtTarget(path)} `)),
    );
    const broken = [...unfinished, ...seen, ...(await this.#stop(sender)), ...(await this.#leftRunning())];
    return [...broken, ...(await verifyTarget(this.model, { root, store, device })), ...this.#blunders()];
  }

  async destroy(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#sender?.destroy();
    this.#receiver?.destroy();
    await this.#proxy?.[Symbol.asyncDispose]();
  }

  async #openLink(): Promise<string> {
    const { uid, random } = this.#setup;
    const port = await freePort(random.fork());
    const listen = `127.0.0.1:${port}`;
    this.#receiver = new Victim({
      name: 'receiver',
      args: ['receive', this.#ground.store, '--listen', listen, '--log-level', 'debug'],
      uid,
    });
    this.#receiver.start();
    this.#proxy = await faultyProxy(port);
    return this.#proxy.url;
  }

  #scanArgs(to: string): string[] {
    const { device, scanArgs } = this.#setup;
    return ['scan', this.#ground.root, '--to', to, '--device', device, '--log-level', 'debug', ...scanArgs];
  }

  async #strike(sender: Victim): Promise<void> {
    const { faults, random, device } = this.#setup;
    const { root, store } = this.#ground;
    await Promise.all(
      faults.map(async (fault) => {
        const own = random.fork();
        const stage: Stage = {
          random: own,
          root,
          store,
          device,
          sender,
          receiver: this.#receiver,
          proxy: this.#proxy,
          pause: async (ms) => await sleep(ms),
        };
        await sleep(own.int(0, FAULTS_WITHIN_MS));
        if (fault.alone === true) await this.#bothStand(sender);
        await fault.strike(stage);
      }),
    );
  }

  /** Both sides have opened what they work on. */
  async #bothStand(sender: Victim): Promise<void> {
    const stands = (): boolean =>
      sender.output.includes('"msg":"directory ') && (this.#receiver?.output.includes('listening') ?? true);
    while (!stands()) await sleep(10);
  }

  /** Until every directory is sealed: by the daemon, or by `--once`, which must say itself that all is well. */
  async #finish(to: string, sender: Victim): Promise<string[]> {
    const { finish } = this.#setup;
    if (finish !== 'once') {
      const deadline = performance.now() + (finish === 'daemon' ? DAEMON_MS : SHORT_MS);
      while (this.#unsealed().length > 0 && performance.now() < deadline) await sleep(20);
      if (this.#unsealed().length === 0) return [];
      if (finish === 'daemon')
        return this.#unsealed().map((directory) => `not sealed after ${DAEMON_MS} ms: ${directory}`);
    }
    const stopped = await this.#stopped(sender);
    for (let tries = 0; tries < MAX_ONCE; tries++) {
      const once = new Victim({
        name: 'once',
        args: [...this.#scanArgs(to), '--once'],
        uid: this.#setup.uid,
      });
      const exitCode = await once.run();
      this.#onceLog += `=== once\n${once.output}`;
      if (exitCode === 0) break;
    }
    return [...stopped, ...this.#unsealed().map((directory) => `not sealed by --once: ${directory}`)];
  }

  #unsealed(): string[] {
    const seals = new Seals(this.#ground.root, this.#setup.plan);
    return this.#setup.plan.directories.filter(
      (directory) => this.model.isToBeSealed(directory) && !seals.has(directory),
    );
  }

  async #stop(sender: Victim): Promise<string[]> {
    const faults = await this.#stopped(sender);
    if (this.#receiver !== undefined) faults.push(...(await this.#stopped(this.#receiver)));
    return faults;
  }

  /** Whatever became of isync, what it has started ends with it. */
  async #leftRunning(): Promise<string[]> {
    const deadline = performance.now() + HELPERS_END_MS;
    for (;;) {
      const left = processesIn(this.#ground.root);
      if (left.length === 0) return [];
      if (performance.now() > deadline) return left.map((name) => `left running: ${name}`);
      await sleep(50);
    }
  }

  async #stopped(victim: Victim): Promise<string[]> {
    return (await victim.stop()) === null ? [`the ${victim.name} did not end at SIGTERM`] : [];
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
      .filter((line) => /"code":"INTERNAL"|\[INTERNAL\]|\.ts:\d+:\d+\)/.test(line));
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
