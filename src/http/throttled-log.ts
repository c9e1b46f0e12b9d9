import { LRUCache } from 'lru-cache';
import type { Log, LogFields } from '../model/log.ts';
import { networkOf } from './network-of.ts';

/** The same warning for one address is written again after this long, in ms. */
const REPEAT_MS = 3600 * 1000;
/** Pairs of address and kind that are remembered, of 200 bytes each. The one used longest ago is forgotten first. */
const MAX_REMEMBERED = 4096;
/** Lines that may be written at once, for all addresses: a whole fleet may have a wrong token. */
const BURST_LINES = 100;
/** After a burst, ms for each further line. */
const MS_PER_LINE = 1000;

interface Written {
  readonly atMs: number;
  /** How often it has happened since then. */
  more: number;
}

/**
 * Writes warnings that anybody who connects can cause, so that nobody can fill the disk with them. Each kind is written once
 * for an address (an IPv6 network of 64 bits counts as one), and again after an hour with `suppressed`, the count of those
 * in between. An attacker with many addresses gets a line a second; `unsaid` counts the lines that were dropped for that.
 */
export class ThrottledLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #written = new LRUCache<string, Written>({ max: MAX_REMEMBERED });
  #lines = BURST_LINES;
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
    const known = this.#written.get(key);
    if (known !== undefined && atMs - known.atMs < REPEAT_MS) {
      known.more++;
      return;
    }
    if (!this.#takeLine(atMs)) {
      this.#unsaid++;
      return;
    }
    this.#written.set(key, { atMs, more: 0 });
    const counts = { suppressed: known?.more ?? 0, ...(this.#unsaid > 0 && { unsaid: this.#unsaid }) };
    this.#unsaid = 0;
    this.#log.warn(message, { remote, ...fields, ...counts });
  }

  #takeLine(atMs: number): boolean {
    this.#lines = Math.min(BURST_LINES, this.#lines + (atMs - this.#filledAtMs) / MS_PER_LINE);
    this.#filledAtMs = atMs;
    if (this.#lines < 1) return false;
    this.#lines--;
    return true;
  }
}
