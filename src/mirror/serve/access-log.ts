import type { Log } from '../../model/log.ts';
import type { Served } from './serve-observer.ts';

/** Lines that may be written at once, and each second: at 300 bytes a line, 25 GB a day at most. What is left out is counted. */
const LINES = { burst: 2000, eachSecond: 1000 };
/** Longest text of a client in a line, in characters: a key has some hundreds, a target that is no key anything. */
const MOST_TEXT = 1024;

/** A line for each request that has been answered, at the level `info`. */
export class AccessLog {
  readonly #log: Log;
  #lines = LINES.burst;
  #filledMs = performance.now();
  #unsaid = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param key or the path of the request, where that names no key */
  add(method: string, key: string, { outcome, status, bytes, ms }: Served): void {
    const nowMs = performance.now();
    this.#lines = Math.min(LINES.burst, this.#lines + ((nowMs - this.#filledMs) * LINES.eachSecond) / 1000);
    this.#filledMs = nowMs;
    if (this.#lines < 1) {
      this.#unsaid += 1;
      return;
    }
    this.#lines -= 1;
    const shown = key.length > MOST_TEXT ? `${key.slice(0, MOST_TEXT)}…` : key;
    const unsaid = this.#unsaid;
    this.#unsaid = 0;
    this.#log.info('request', {
      method: method.slice(0, 16),
      key: shown,
      outcome,
      status,
      bytes,
      ms: Math.round(ms * 10) / 10,
      ...(unsaid > 0 && { unsaid }),
    });
  }
}
