import { HttpError } from '../../http/handler.ts';

/** Counts the bytes that all requests hold. */
export class HeldBytes {
  readonly #most: number;
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
    });
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
