import { Scavenger } from '../../flow/scavenger.ts';
import { HttpError } from '../../http/handler.ts';
import { LARGE_BYTES } from './webhook-limits.ts';

/**
 * After a request that held so many bytes, everything is collected, in some 20 ms: parsed, they were many times as much, and V8
 * would let several of the kind gather.
 */
const COLLECT_FROM_BYTES = LARGE_BYTES;

/** Of smaller ones the young generation is collected after so many bytes: till then they lie beside those that are held. */
const SCAVENGE_EVERY_BYTES = 1024 * 1024;

/** Counts the bytes that all requests hold. */
export class HeldBytes {
  readonly #most: number;
  readonly #scavenger = new Scavenger(SCAVENGE_EVERY_BYTES);
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** What one request holds, until it is disposed of. */
  open(): HeldShare {
    return new HeldShare((bytes) => {
      if (bytes > 0 && this.#held + bytes > this.#most)
        throw new HttpError(503, 'too much is on its way to the queue: try again');
      this.#held += bytes;
      if (bytes < 0) this.#freed(-bytes);
    });
  }

  /** Does nothing where the process has no `gc` function (see cli/heap-growth.ts). */
  #freed(bytes: number): void {
    if (bytes < COLLECT_FROM_BYTES) this.#scavenger.freed(bytes);
    else globalThis.gc?.({ type: 'major', execution: 'sync' });
  }
}

export class HeldShare implements Disposable {
  readonly #count: (bytes: number) => void;
  #held = 0;

  constructor(count: (bytes: number) => void) {
    this.#count = count;
  }

  /** @throws HttpError 503 where that would be too much */
  add(bytes: number): void {
    this.#count(bytes);
    this.#held += bytes;
  }

  [Symbol.dispose](): void {
    this.#count(-this.#held);
    this.#held = 0;
  }
}
