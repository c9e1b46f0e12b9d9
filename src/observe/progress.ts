import type { Log } from '../model/log.ts';
import { printable } from './printable.ts';
import type { StatusLine } from './status-line.ts';
import type { Activity } from './status/report.ts';
import { TimeLeft } from './time-left.ts';
import { formatBytes, formatCount, formatRate, formatSeconds } from './units.ts';

/** Pause between two drawings in ms: nobody reads more than five a second. */
const DRAW_EVERY_MS = 200;
/** Weight of the newest sample in the rate. With five samples a second, the rate settles in about two seconds. */
const NEWEST_WEIGHT = 0.1;

export interface ProgressState {
  readonly files: number;
  readonly bytes: number;
  /** Of what is to be done now, in bytes, where it is known: what is done of it, and all of it. */
  readonly part?: { readonly done: number; readonly total: number } | undefined;
  readonly directoriesLeft?: number | undefined;
  /** Default: it is working. */
  readonly activity?: Activity | undefined;
  /** The path of a file that is on its way. */
  readonly current?: string | undefined;
}

/** Shows on a status line how far the work is. Asks `state` at most five times a second. */
export class Progress implements Disposable {
  readonly #line: StatusLine;
  readonly #timer: NodeJS.Timeout;

  constructor(line: StatusLine, state: () => ProgressState) {
    this.#line = line;
    const rate = new RateMeter(performance.now(), state().bytes);
    const left = new TimeLeft();
    this.#timer = setInterval(() => {
      const current = state();
      const nowMs = performance.now();
      line.set(progressText(current, rate.sample(nowMs, current.bytes), left.sample(nowMs, partOf(current))));
    }, DRAW_EVERY_MS);
    this.#timer.unref();
  }

  /** Clears the status line. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#line.set('');
  }
}

/** Writes a line of log with how far the work is, every `everyMs` in which something has moved. */
export function logProgress(log: Log, state: () => ProgressState, everyMs: number): Disposable {
  const left = new TimeLeft();
  let before = state();
  let beforeMs = performance.now();
  const timer = setInterval(() => {
    const now = state();
    const nowMs = performance.now();
    const secondsLeft = left.sample(nowMs, partOf(now));
    if (now.files === before.files && now.bytes === before.bytes) {
      beforeMs = nowMs;
      return;
    }
    const rate = Math.max(0, Math.round(((now.bytes - before.bytes) * 1000) / (nowMs - beforeMs)));
    const { files, bytes, directoriesLeft, activity, current, part } = now;
    log.info(progressText(now, rate, secondsLeft), {
      files,
      bytes,
      bytesPerSecond: rate,
      ...(part !== undefined && { totalBytes: part.total }),
      ...(directoriesLeft !== undefined && { directoriesLeft }),
      ...(activity !== undefined && { activity }),
      ...(current !== undefined && { current }),
    });
    [before, beforeMs] = [now, nowMs];
  }, everyMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * `45% of 3.4 GiB, 12 files, 1.5 GiB, 1.1 MiB/s, 2m05s left, 2 directories left: DC1/a.bin`, with what it waits for in front, if it does.
 * @param secondsLeft undefined: nobody can say yet
 */
export function progressText(
  state: ProgressState,
  bytesPerSecond: number,
  secondsLeft: number | undefined,
): string {
  const { files, bytes, directoriesLeft, activity = 'working', current } = state;
  const part = partOf(state);
  const parts = [
    ...(activity === 'working' ? [] : [activity]),
    ...(part === undefined ? [] : [`${percentOf(part)}% of ${formatBytes(part.total)}`]),
    formatCount(files, 'file'),
    formatBytes(bytes),
    ...(activity === 'idle' ? [] : [formatRate(bytesPerSecond)]),
    ...(secondsLeft === undefined || activity !== 'working' ? [] : [`${formatSeconds(secondsLeft)} left`]),
    ...(directoriesLeft === undefined
      ? []
      : [`${formatCount(directoriesLeft, 'directory', 'directories')} left`]),
  ];
  return `${parts.join(', ')}${current === undefined ? '' : `: ${printable(current)}`}`;
}

/** Undefined where there is nothing left, or nobody knows how much. */
function partOf({ part, activity }: ProgressState): ProgressState['part'] {
  return part === undefined || activity === 'idle' || part.done >= part.total ? undefined : part;
}

/** Never 100, for something is left. */
function percentOf({ done, total }: NonNullable<ProgressState['part']>): number {
  return Math.max(0, Math.min(99, Math.floor((done * 100) / total)));
}

/** Measures bytes a second, as an exponential moving average. Times are in ms. */
export class RateMeter {
  #at: number;
  #bytes: number;
  #rate: number | undefined;

  constructor(now: number, bytes: number) {
    this.#at = now;
    this.#bytes = bytes;
  }

  sample(now: number, bytes: number): number {
    if (now <= this.#at) return this.#rate ?? 0;
    const newest = ((bytes - this.#bytes) * 1000) / (now - this.#at);
    this.#rate = this.#rate === undefined ? newest : this.#rate + (newest - this.#rate) * NEWEST_WEIGHT;
    this.#at = now;
    this.#bytes = bytes;
    return this.#rate;
  }
}
