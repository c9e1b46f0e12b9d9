import { HttpError } from '../../../http/handler.ts';
import type { Got, SnsGet } from './https-get.ts';
import type { SnsUrl } from './sns-url.ts';

/** Requests to SNS at a time: one fetches a certificate, and confirmations come one by one. */
const AT_ONCE = 4;
/** Requests to SNS within a minute: whoever may post could make up any number of URLs. */
const PER_MINUTE = 30;
const MINUTE_MS = 60_000;

/** Bounds what is asked of SNS. */
export class GetBudget {
  readonly #get: SnsGet;
  readonly #now: () => number;
  #underWay = 0;
  #begunAtMs: number[] = [];

  /** @param now monotonic, in ms */
  constructor(get: SnsGet, now: () => number = () => performance.now()) {
    this.#get = get;
    this.#now = now;
  }

  /** @throws HttpError 503 where SNS can't be reached, or was asked enough already */
  async get(url: SnsUrl): Promise<Got> {
    const now = this.#now();
    this.#begunAtMs = this.#begunAtMs.filter((atMs) => now - atMs < MINUTE_MS);
    if (this.#underWay >= AT_ONCE || this.#begunAtMs.length >= PER_MINUTE)
      throw new HttpError(503, 'SNS has been asked too much in the last minute');
    this.#begunAtMs.push(now);
    this.#underWay++;
    try {
      return await this.#get(url);
    } catch (error) {
      throw new HttpError(503, 'SNS can not be reached', { cause: error });
    } finally {
      this.#underWay--;
    }
  }
}
