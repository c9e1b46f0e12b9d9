import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { OutputLines } from './output-lines.ts';

/** How long output is waited for after a program has ended, in ms: what it left running may keep it open for ever. */
const LAST_OUTPUT_MS = 1000;
/** From TERM to KILL, in ms. */
export const KILL_AFTER_MS = 2000;
/** Output that is read as fast as it comes, in bytes: more than any that somebody reads. */
const FAST_BYTES = 1024 * 1024;
/** Behind that, in ms between two reads of 64 KiB: a program that prints without end must not take our CPU. */
const SLOW_READ_MS = 20;

export interface ChildOptions {
  /** With "/" a path, else looked for in PATH. */
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its stdin. It need not read it. */
  readonly input: Iterable<string>;
  /** Told of each line that it prints, bounded in length and number. */
  readonly printed: (stream: 'stdout' | 'stderr', line: string) => void;
}

/** How a program ended. */
export type Ending =
  | { readonly kind: 'not started'; readonly error: Error }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string };

/** A program that runs, without a shell, and in a process group of its own. */
export class Child {
  /** Resolves when it has ended and its output has been told. Never rejects. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess | undefined;
  readonly #bound = OutputLines.bound();
  #kill: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(options: ChildOptions) {
    try {
      this.#child = spawn(options.program, options.args, {
        // A group of its own: Ctrl-C at our terminal is ours to act on, and a signal reaches all that it has started.
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
        env: options.env,
      });
    } catch (error) {
      // A word with NUL, too many words, no memory.
      const reason = error instanceof Error ? error : new Error(String(error));
      this.ended = Promise.resolve({ kind: 'not started', error: reason });
      return;
    }
    this.ended = this.#follow(this.#child, options);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Lines that were printed and not told. */
  get dropped(): number {
    return this.#bound.dropped;
  }

  /**
   * Ends it and all in its group: TERM, and KILL `killAfterMs` later, or once it has ended itself. A second call may make that
   * sooner. To be called before it has ended.
   */
  stop(killAfterMs = KILL_AFTER_MS): void {
    clearTimeout(this.#kill);
    this.#kill = setTimeout(() => this.killRest(), killAfterMs);
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#signalGroup('SIGTERM');
    void this.ended.finally(() => {
      clearTimeout(this.#kill);
      this.killRest();
    });
  }

  /** Kills all of its group. Where it has ended, to be called at once: the number of the group may become another one's. */
  killRest(): void {
    this.#signalGroup('SIGKILL');
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // All of it has ended.
    }
  }

  async #follow(child: ChildProcess, { input, printed }: ChildOptions): Promise<Ending> {
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const over = endingOf(child);
    feed(child, input);
    const streams = (['stdout', 'stderr'] as const).map((name) => {
      const stream = child[name];
      const lines = new OutputLines((line) => printed(name, line), this.#bound);
      if (stream) read(stream, lines);
      return { stream, lines };
    });
    const ending = await over;
    await withinLastOutput(closed);
    for (const { stream, lines } of streams) {
      stream?.destroy();
      lines.end();
    }
    child.stdin?.destroy();
    return ending;
  }
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ kind: 'not started', error }));
    child.once('exit', (code, signal) =>
      resolve(code === null ? { kind: 'signal', signal: signal ?? 'a signal' } : { kind: 'exit', code }),
    );
  });
}

/** Without files left to open, a child has no streams. */
function feed({ stdin }: ChildProcess, input: Iterable<string>): void {
  if (!stdin) return;
  // EPIPE: the program does not care for it.
  stdin.on('error', () => undefined);
  Readable.from(input).pipe(stdin);
}

function read(stream: Readable, lines: OutputLines): void {
  let fast = FAST_BYTES;
  stream.on('data', (bytes: Buffer) => {
    lines.write(bytes);
    fast -= bytes.length;
    if (fast >= 0) return;
    stream.pause();
    setTimeout(() => stream.resume(), SLOW_READ_MS);
  });
}

async function withinLastOutput(closed: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_OUTPUT_MS)));
  await Promise.race([closed, late]);
  clearTimeout(timer);
}
