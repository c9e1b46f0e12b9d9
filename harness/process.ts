import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Longest wait for a condition, in ms: only a fault waits as long. */
const PATIENCE_MS = 150_000;
/** How often a condition is looked at, in ms. */
const LOOK_MS = 10;
/** How long a process may take to end after SIGTERM before it is killed, in ms. */
const END_MS = 15_000;
/** Output kept of one stream of one process, in characters: the latest. */
const MAX_OUTPUT = 4_000_000;

export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as; only root may choose. */
  readonly uid?: number;
  /** What it reads from its stdin. Default: it has none. */
  readonly input?: string | undefined;
  /** Shows the process's own messages to whoever runs this. */
  readonly showStderr?: boolean;
  /** Told of its own messages as they come, in pieces. */
  readonly onStderr?: (text: string) => void;
}

const running = new Set<ChildProcess>();
// Whatever ends this process, what it started must not outlive it.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // Whoever else listens knows better what to do; by itself a signal would end this process without 'exit'.
    if (process.listenerCount(signal) === 1) process.exit(1);
  });

/** Starts Node with `args` as a process of its own. */
export function startNode(
  args: readonly string[],
  options: ProcessOptions & { readonly node?: string } = {},
): CliProcess {
  const { uid, env, node, input, showStderr, onStderr } = options;
  const child = spawn(node ?? process.execPath, args, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', showStderr === true ? 'inherit' : 'pipe'],
    env: { ...plainEnvironment(), ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  // Of a process that reads nothing of it the pipe breaks.
  child.stdin?.on('error', () => {}).end(input);
  return new CliProcess(child, args, onStderr);
}

/** A process and what it has printed so far. Disposing ends it. */
export class CliProcess implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #name: string;
  #over = false;

  constructor(child: ChildProcess, args: readonly string[], onStderr?: (text: string) => void) {
    this.#child = child;
    this.#name = args.slice(0, 3).join(' ');
    running.add(child);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout = (this.stdout + text).slice(-MAX_OUTPUT);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-MAX_OUTPUT);
      onStderr?.(text);
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => {
        this.#over = true;
        running.delete(child);
        resolve({ exitCode, stdout: this.stdout, stderr: this.stderr });
      });
    });
    // A failure to start is told by whoever waits for the end; nobody has to.
    this.ended.catch(() => running.delete(child));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Waits until `condition` holds; rejects with the process's last words when it ends before. */
  async until<T>(
    what: string,
    condition: () => T | Promise<T>,
    patienceMs?: number,
  ): Promise<NonNullable<T>> {
    return await until(
      what,
      async () => {
        const value = await condition();
        if (!value && this.#over)
          throw new Error(`${this.#name} ended while waiting for: ${what}\n${this.tail()}`);
        return value;
      },
      patienceMs,
    ).catch((thrown: unknown) => {
      throw new Error(`${String(thrown)}\n${this.tail()}`, { cause: thrown });
    });
  }

  /** Its last output, for the message of a failure. */
  tail(): string {
    return `--- ${this.#name}, stdout:\n${this.stdout.slice(-2000)}\n--- stderr:\n${this.stderr.slice(-2000)}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends `signal` and waits for the end. */
  async stop(signal: NodeJS.Signals): Promise<Ended> {
    this.signal(signal);
    return await this.ended;
  }

  /** As a power cut would: SIGKILL, also for what it had started itself. */
  async kill(): Promise<void> {
    const helpers = await childrenOf(this.pid);
    await this.stop('SIGKILL');
    for (const pid of helpers) killQuietly(pid);
  }

  /** Most memory it has held so far, in bytes (Linux: VmHWM of proc_pid_status(5)); 0 once it is over. */
  peakMemory(): number {
    try {
      const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
      return Number(kib ?? 0) * 1024;
    } catch {
      // It has ended between two looks.
      return 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over || this.#child.pid === undefined) return;
    this.#child.kill('SIGTERM');
    const grace = new AbortController();
    const late = delay(END_MS, true, { signal: grace.signal }).catch(() => false);
    const ended = this.ended.then(() => false);
    if (await Promise.race([late, ended])) await this.kill();
    grace.abort();
  }
}

/** Looks again and again until `condition` gives something true, and returns it. Rejects after `patienceMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs / 1000} s in vain for: ${what}`);
    await delay(LOOK_MS);
  }
}

/** The environment without settings of isync, which would change what a run does. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ISYNC_')));
}

async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = tasks.map((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8');
    } catch {
      // The thread has ended, or this kernel does not tell.
      return '';
    }
  });
  return lists.join(' ').split(/\s+/).filter(Boolean).map(Number);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already, which is what is wanted.
  }
}
