import { Limiter } from '../../flow/limiter.ts';
import { Backoff } from '../../flow/retry.ts';
import { Wakeup } from '../../flow/wake-up.ts';
import { toIsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { PullState } from '../state/pull-state.ts';
import { runCommand, type RunningCommand } from './run-command.ts';

/** Paths told to one run. More wait for the next, which begins at once. */
const MAX_PATHS = 10_000;
/** Changes that follow one another put a run off for this many delays at most: a steady stream of them must not stop it. */
const MOST_DELAYS = 5;
/** Shortest and longest wait after a run that failed, in ms. A command fails by what a person must mend, or a server that is away. */
const RETRY = { giveUpAfterMs: undefined, firstDelayMs: 1000, longestDelayMs: 300_000 } as const;
/** How long closing waits for the command before it ends it, in ms: with the time to KILL, less than until the cut of a signal. */
const CLOSE_WITHIN_MS = 7000;

export interface ExecOptions {
  /** Program and arguments, no shell; a program without "/" is looked for in PATH. */
  readonly command: readonly string[];
  /** From the last change to the run, in ms. */
  readonly delayMs: number;
  readonly state: Pick<PullState, 'owed' | 'setOwed' | 'removeOwed'>;
  readonly log: Log;
  /** How long closing waits for the command, in ms. Default {@link CLOSE_WITHIN_MS}. */
  readonly closeWithinMs?: number | undefined;
  /** Begins the closing, while others finish what they have begun. What changes then is owed to the next process. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a command after changes, with the paths that changed on its stdin. What is owed to it stands in the state, so that a
 * crash has it run again: each path is told at least once after its last change. One run at a time; one that does not end with
 * 0 is repeated with growing delays, together with what changed since.
 */
export class ExecRunner implements AsyncDisposable {
  readonly #options: ExecOptions;
  readonly #log: Log;
  /** One run at a time, of the loop and of `flush`. */
  readonly #turn = new Limiter(1);
  readonly #wakeup = new Wakeup();
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  /** When the first and the last of the changes that wait came, on the clock of performance.now(). */
  #waiting: { readonly firstMs: number; lastMs: number } | undefined;
  #running: RunningCommand | undefined;
  #runs = 0;
  #failures = 0;

  constructor(options: ExecOptions) {
    this.#options = options;
    this.#log = options.log;
    // A crash may have left some.
    this.#arm();
    this.#loop = this.#work();
    if (options.signal?.aborted === true) this.#closing.abort();
    options.signal?.addEventListener('abort', () => void this.close(), { once: true });
  }

  /** Runs so far, and those of them that failed. */
  get counts(): { readonly runs: number; readonly failures: number } {
    return { runs: this.#runs, failures: this.#failures };
  }

  /**
   * Takes note that absolute paths change. Resolves when that is durable: a change counts as done only after that.
   * To lose none to a crash, call it before the change is made, or together with the write of the state that tells of it.
   * @throws IsyncError STORE_FULL, STORE_FAILED
   */
  async owe(paths: readonly string[]): Promise<void> {
    await this.#options.state.setOwed(paths);
    this.#arm();
  }

  /** Runs the command for all that is owed now, without a delay. Resolves to whether it succeeded; true where nothing is owed. */
  async flush(): Promise<boolean> {
    for (;;) {
      const outcome = await this.#turn.run(() => this.#run());
      if (outcome === 'failed') this.#arm();
      if (outcome !== 'more') return outcome === 'done';
    }
  }

  /** Runs nothing more. Waits for the command that is running, and ends it where it takes too long: it is run again next time. */
  async close(): Promise<void> {
    this.#closing.abort();
    const { closeWithinMs = CLOSE_WITHIN_MS } = this.#options;
    const stop = setTimeout(() => this.#running?.stop(), closeWithinMs);
    try {
      await this.#loop;
      // A flush that is under way.
      await this.#turn.run(async () => undefined);
    } finally {
      clearTimeout(stop);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #arm(): void {
    const now = performance.now();
    if (this.#waiting === undefined) this.#waiting = { firstMs: now, lastMs: now };
    else this.#waiting.lastMs = now;
    this.#wakeup.wake();
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff(RETRY);
    while (!signal.aborted) {
      const left = this.#dueInMs();
      if (left > 0) {
        await this.#wakeup.sleep(left, signal);
        continue;
      }
      const outcome = await this.#turn.run(() => this.#run());
      if (outcome === 'more') this.#armAtOnce();
      if (outcome !== 'failed') {
        backoff.succeeded();
        continue;
      }
      await backoff.wait({ signal }).catch(() => false);
      this.#armAtOnce();
    }
  }

  #armAtOnce(): void {
    this.#waiting = { firstMs: -Infinity, lastMs: -Infinity };
  }

  /** Infinity where nothing waits. */
  #dueInMs(): number {
    if (this.#waiting === undefined) return Infinity;
    const { delayMs } = this.#options;
    const { firstMs, lastMs } = this.#waiting;
    return Math.min(lastMs + delayMs, firstMs + delayMs * MOST_DELAYS) - performance.now();
  }

  /** Never rejects. */
  async #run(): Promise<'done' | 'more' | 'failed'> {
    const { command, state } = this.#options;
    this.#waiting = undefined;
    try {
      const owed = state.owed(MAX_PATHS);
      if (owed.length === 0) return 'done';
      if (this.#closing.signal.aborted) return 'failed';
      const fault = await this.#runFor(owed.map(({ path }) => path));
      if (fault !== undefined) {
        this.#failures++;
        this.#log.warn(`exec: the command ${fault}; it is tried again`, { command, paths: owed.length });
        return 'failed';
      }
      await state.removeOwed(owed);
      this.#log.debug('exec: the command has been told', { paths: owed.length });
      return owed.length === MAX_PATHS ? 'more' : 'done';
    } catch (error) {
      const { message, code } = toIsyncError(error, 'INTERNAL');
      this.#log.error('exec: what is owed to the command can not be read or written', {
        code,
        reason: message,
      });
      return 'failed';
    }
  }

  async #runFor(paths: readonly string[]): Promise<string | undefined> {
    this.#runs++;
    this.#running = runCommand(this.#options.command, paths, this.#log);
    try {
      return await this.#running.ended;
    } finally {
      this.#running = undefined;
    }
  }
}
