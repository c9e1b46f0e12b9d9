import { LRUCache } from 'lru-cache';
import { networkOf } from '../http/unadmitted-connections.ts';
import type { Log, LogFields } from '../model/log.ts';

/** The same of one address is told again after this long, in ms. */
const AGAIN_MS = 3600 * 1000;
/** Addresses and kinds that are remembered, of 200 bytes each; the one that was seen longest ago is forgotten first. */
const MAX_REMEMBERED = 4096;
/** Lines in all: so many at once, when a whole fleet has a wrong token, then one for each of these ms. */
const MAX_LINES_AT_ONCE = 100;
const MS_PER_LINE = 1000;

interface Told {
  readonly atMs: number;
  /** How often it has happened since. */
  more: number;
}

/**
 * Warnings that strangers can cause. Each kind is told once for an address (an IPv6 network of 64 bits counts as one), and
 * again after an hour with `suppressed`, the count of those in between. Nobody fills the disk with log by knocking often:
 * whoever has many addresses gets a line a second; `unsaid` counts what was left out for that.
 */
export class StrangerLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #told = new LRUCache<string, Told>({ max: MAX_REMEMBERED });
  #lines = MAX_LINES_AT_ONCE;
  #filledAtMs: number;
  #unsaid = 0;

  /** `now` is in ms. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
    this.#filledAtMs = now();
  }

  /** `remote` is ADDRESS:PORT. `kind` and `message` are fixed texts of the caller, never anything from the wire. */
  warn(message: string, remote: string, fields: LogFields = {}, kind: string = message): void {
    const atMs = this.#now();
    const key = `${networkOf(remote.slice(0, remote.lastIndexOf(':')))} ${kind}`;
    const known = this.#told.get(key);
    if (known !== undefined && atMs - known.atMs < AGAIN_MS) {
      known.more++;
      return;
    }
    if (!this.#takeLine(atMs)) {
      this.#unsaid++;
      return;
    }
    this.#told.set(key, { atMs, more: 0 });
    const counts = { suppressed: known?.more ?? 0, ...(this.#unsaid > 0 && { unsaid: this.#unsaid }) };
    this.#unsaid = 0;
    this.#log.warn(message, { remote, ...fields, ...counts });
  }

  #takeLine(atMs: number): boolean {
    this.#lines = Math.min(MAX_LINES_AT_ONCE, this.#lines + (atMs - this.#filledAtMs) / MS_PER_LINE);
    this.#filledAtMs = atMs;
    if (this.#lines < 1) return false;
    this.#lines--;
    return true;
  }
}
