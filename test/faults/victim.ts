import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLI_MAIN } from '../../harness/cli.ts';

/** How soon a process that has ended is started again, in ms: as an init system would. */
const RESTART_MS = 50;
/** How long a process may take to end after SIGTERM, in ms; isync gives what is in flight 10 s, and others may be at work. */
const END_MS = 60_000;
const MAX_OUTPUT = 2_000_000;
/** What is kept of its beginning, in characters, or a little more. */
const FIRST_OUTPUT = 4000;
/** $0 is the limit, the rest the command. */
const LIMIT_WATCHES = 'echo "$0" > /proc/sys/user/max_inotify_watches && exec "$@"';

/** What the next start is put into. */
export interface Wrap {
  /** Killed when it makes this system call the `when`th time (in one of its threads). */
  readonly dieAt?: { readonly syscalls: string; readonly when: number };
  /** Most open files. */
  readonly openFiles?: number;
  /** Most inotify watches, in a user namespace of its own. */
  readonly watches?: number;
  /** One thread does all calls to the disk, so that they can be counted. */
  readonly oneThread?: boolean;
}

export interface VictimOptions {
  readonly name: string;
  /** What Node runs. Default: isync. */
  readonly program?: string;
  readonly args: readonly string[];
  readonly uid: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<Victim>();
// Whatever ends this process, what it started must not outlive it.
process.on('exit', () => {
  for (const victim of running) victim.destroy();
});

/** An isync process that is started again whenever it ends, until it is told to stop. */
export class Victim {
  readonly name: string;
  readonly #options: VictimOptions;
  #child: ChildProcess | undefined;
  #wanted = false;
  #next: Wrap = {};
  #wrap: Wrap = {};
  #killed = false;
  #restart: NodeJS.Timeout | undefined;
  #output = '';
  #firstOutput = '';
  /** How often which end was seen; by signal or exit code. */
  readonly ends = new Map<string, number>();

  constructor(options: VictimOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** All it has printed, over all its lives. */
  get output(): string {
    return this.#output;
  }

  /** The beginning of that. */
  get firstOutput(): string {
    return this.#firstOutput;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  start(wrap: Wrap = {}): void {
    this.#wanted = true;
    clearTimeout(this.#restart);
    if (this.#child !== undefined) return;
    const { program = CLI_MAIN, uid, env } = this.#options;
    const [file = '', ...args] = commandOf([program, ...this.#options.args], wrap);
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that nothing it has started outlives the round.
      detached: true,
      env: {
        PATH: process.env['PATH'],
        HOME: '/nonexistent',
        LC_ALL: 'C.UTF-8',
        ...env,
        ...(wrap.oneThread === true ? { UV_THREADPOOL_SIZE: '1' } : {}),
      },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#child = child;
    this.#wrap = wrap;
    this.#killed = false;
    running.add(this);
    this.#note(`+++ started${Object.keys(wrap).length > 0 ? ` with ${JSON.stringify(wrap)}` : ''}\n`);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#note(text));
    child.once('exit', (code, signal) => this.#ended(child, signal ?? String(code)));
  }

  /** One life to its own end; resolves to the exit code. */
  async run(): Promise<number | null> {
    this.start();
    this.#wanted = false;
    const child = this.#child;
    if (child === undefined) return null;
    await ended(child);
    return child.exitCode;
  }

  /** The next life is put into `wrap`; the present one is killed. */
  async reborn(wrap: Wrap): Promise<void> {
    this.#next = wrap;
    await this.kill();
  }

  /** As a power cut would, but for what the kernel has not written yet. */
  async kill(): Promise<void> {
    await this.#killProcess();
  }

  signal(name: NodeJS.Signals): void {
    if (this.pid !== undefined) signal(this.pid, name);
  }

  /** SIGTERM, for good. Resolves to the exit code; null when it had to be killed. */
  async stop(): Promise<number | null> {
    this.#wanted = false;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return 0;
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const late = new AbortController();
    await Promise.race([ended(child), sleep(END_MS, undefined, { signal: late.signal }).catch(() => {})]);
    late.abort();
    if (child.exitCode === null && child.signalCode === null) await this.#killProcess();
    // Before it has set up its handlers the signal itself ends it; and it may have come to where it was to die.
    const isMeant = child.signalCode === 'SIGTERM' || (this.#wrap.dieAt !== undefined && !this.#killed);
    return isMeant && child.signalCode !== null ? 0 : child.exitCode;
  }

  /** Ends it and whatever it has started, at once and for good. */
  destroy(): void {
    this.#wanted = false;
    clearTimeout(this.#restart);
    if (this.#child?.pid !== undefined) signal(-this.#child.pid, 'SIGKILL');
  }

  /** The process itself, not what it is wrapped in. */
  get pid(): number | undefined {
    const pid = this.#child?.pid;
    if (pid === undefined) return undefined;
    if (!nameOfProcess(pid).startsWith('strace')) return pid;
    return childrenOf(pid)[0];
  }

  /** What it has started itself: a shell, and what that has started. */
  get helpers(): number[] {
    const children = this.pid === undefined ? [] : childrenOf(this.pid);
    return [...children, ...children.flatMap(childrenOf)];
  }

  async #killProcess(): Promise<void> {
    const { pid } = this;
    const child = this.#child;
    if (pid === undefined || child === undefined) return;
    this.#killed = true;
    signal(pid, 'SIGKILL');
    await ended(child);
  }

  #ended(child: ChildProcess, how: string): void {
    // What it had started must not go on for it.
    if (child.pid !== undefined) signal(-child.pid, 'SIGKILL');
    this.#child = undefined;
    running.delete(this);
    this.#note(`+++ ended: ${how}\n`);
    const { dieAt } = this.#wrap;
    const kind =
      how === 'SIGKILL' && !this.#killed && dieAt !== undefined ? `killed at ${dieAt.syscalls}` : how;
    this.ends.set(kind, (this.ends.get(kind) ?? 0) + 1);
    if (!this.#wanted) return;
    const wrap = this.#next;
    this.#next = {};
    this.#restart = setTimeout(() => this.start(wrap), RESTART_MS);
  }

  #note(text: string): void {
    if (this.#firstOutput.length < FIRST_OUTPUT) this.#firstOutput += text;
    this.#output += text;
    if (this.#output.length > 2 * MAX_OUTPUT) this.#output = this.#output.slice(-MAX_OUTPUT);
  }
}

function commandOf(args: readonly string[], { dieAt, openFiles, watches }: Wrap): string[] {
  const command = [process.execPath, ...args];
  if (openFiles !== undefined) command.unshift('prlimit', `--nofile=${openFiles}`);
  if (watches !== undefined)
    command.unshift(...'unshare --user --map-root-user sh -c'.split(' '), LIMIT_WATCHES, String(watches));
  if (dieAt !== undefined)
    command.unshift(
      // Without --seccomp-bpf, though it would be faster: with it strace 6.1 sends no signals.
      ...'strace -f -qqq -o /dev/null'.split(' '),
      `--trace=${dieAt.syscalls}`,
      `--inject=${dieAt.syscalls}:signal=SIGKILL:when=${dieAt.when}`,
    );
  return command;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once('exit', resolve));
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

/** Processes that work in `folder` or below. */
export function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
      } catch {
        // It has ended.
        return false;
      }
    })
    .map((pid) => `${pid} ${nameOfProcess(Number(pid)).trim()}`);
}

function nameOfProcess(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8');
  } catch {
    return '';
  }
}

export function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8'))
      .join(' ')
      .split(/\s+/)
      .filter(Boolean)
      .map(Number);
  } catch {
    // It has ended, or a thread of it.
    return [];
  }
}
