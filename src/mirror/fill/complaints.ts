import type { Log } from '../../model/log.ts';
import { faultFields } from '../origin/origin.ts';

/** Lines about objects that were not kept, at once and then each so many ms: an origin that cuts all bodies must not fill the disk. */
const LINES = { burst: 20, eachMs: 5_000 };

/** Logs that objects were not kept, as often as a log may hold. */
export class Complaints {
  readonly #log: Log;
  #lines = LINES.burst;
  #filledMs = performance.now();
  #unsaid = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  add(key: string, error: Error): void {
    const nowMs = performance.now();
    this.#lines = Math.min(LINES.burst, this.#lines + (nowMs - this.#filledMs) / LINES.eachMs);
    this.#filledMs = nowMs;
    if (this.#lines < 1) {
      this.#unsaid += 1;
      return;
    }
    this.#lines -= 1;
    this.#log.warn('an object was not kept', { key, ...faultFields(error), unsaid: this.#unsaid });
    this.#unsaid = 0;
  }
}
