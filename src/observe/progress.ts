import type { StatusLine } from './status-line.ts';
import { formatBytes, formatCount, formatRate, formatSeconds } from './units.ts';

/** Pause between two drawings in ms: nobody reads more than five a second. */
const DRAW_EVERY_MS = 200;
/** Weight of the newest sample in the rate. With five samples a second, the rate settles in about two seconds. */
const NEWEST_WEIGHT = 0.1;

export interface ProgressState {
  readonly files: number;
  readonly bytes: number;
  /** Bytes in all, where that is known. */
  readonly totalBytes?: number | undefined;
  readonly directoriesLeft?: number | undefined;
}

/** Shows on a status line how far the work is. Asks `state` at most five times a second. */
export class Progress implements Disposable {
  readonly #line: StatusLine;
  readonly #timer: NodeJS.Timeout;

  constructor(line: StatusLine, state: () => ProgressState) {
    this.#line = line;
    const rate = new RateMeter(performance.now(), state().bytes);
    this.#timer = setInterval(() => {
      const current = state();
      line.set(progressText(current, rate.sample(performance.now(), current.bytes)));
    }, DRAW_EVERY_MS);
    this.#timer.unref();
  }

  /** Clears the status line. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#line.set('');
  }
}

/** `12 files, 3.4 MiB, 1.1 MiB/s, 2m05s left, 2 directories left`. */
export function progressText(state: ProgressState, bytesPerSecond: number): string {
  const parts = [formatCount(state.files, 'file'), formatBytes(state.bytes), formatRate(bytesPerSecond)];
  if (state.totalBytes !== undefined && state.totalBytes > state.bytes && bytesPerSecond > 0)
    parts.push(`${formatSeconds((state.totalBytes - state.bytes) / bytesPerSecond)} left`);
  if (state.directoriesLeft !== undefined)
    parts.push(`${formatCount(state.directoriesLeft, 'directory', 'directories')} left`);
  return parts.join(', ');
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
