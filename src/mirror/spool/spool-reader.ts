import type { WaitingReaders } from './waiting-readers.ts';

/** What a reader sees of a file. */
export interface ReadableBody {
  /** Bytes that may be read. */
  readonly readableSize: number;
  readonly isWhole: boolean;
  /** Why no more comes. */
  readonly failure: Error | undefined;
  readonly waiting: WaitingReaders;
  /** Some of the bytes from `start` to before `end`, which are there: at least one. */
  bytesAt(start: number, end: number): Uint8Array | Promise<Uint8Array>;
}

/**
 * One reader of a body. No generator: one that was never asked for anything would not notice that its reader left, and one that waits
 * for bytes could not be left before they come.
 */
export class SpoolReader implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #body: ReadableBody;
  readonly #end: number;
  readonly #signal: AbortSignal | undefined;
  readonly #left: () => void;
  #position: number;
  #isOver = false;
  #reason: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** @param left called once, when the reader wants no more */
  constructor(
    body: ReadableBody,
    { start = 0, end = Infinity }: { readonly start?: number; readonly end?: number },
    signal: AbortSignal | undefined,
    left: () => void,
  ) {
    this.#body = body;
    this.#position = start;
    this.#end = end;
    this.#signal = signal;
    this.#left = left;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    while (!this.#isOver) {
      const { readableSize, failure, isWhole } = this.#body;
      const end = Math.min(this.#end, readableSize);
      if (this.#position < end) {
        const piece = await this.#pieceAt(this.#position, end);
        if (piece === undefined) continue;
        this.#position += piece.length;
        return { done: false, value: piece };
      }
      if (isWhole || this.#position >= this.#end) this.#leave();
      else if (failure !== undefined) this.#leave({ error: failure });
      else await this.#growth();
    }
    const reason = this.#reason;
    this.#reason = undefined;
    if (reason !== undefined) throw reason.error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#leave();
    return { done: true, value: undefined };
  }

  /** Undefined where the reader has left meanwhile, or has failed. */
  async #pieceAt(start: number, end: number): Promise<Uint8Array | undefined> {
    try {
      const piece = this.#body.bytesAt(start, end);
      const bytes = piece instanceof Uint8Array ? piece : await piece;
      return this.#isOver ? undefined : bytes;
    } catch (error) {
      this.#leave({ error });
      return undefined;
    }
  }

  #growth(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#body.waiting.add(resolve);
    });
  }

  readonly #abort = (): void => {
    this.#leave({ error: this.#signal?.reason });
  };

  #leave(reason?: { readonly error: unknown }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason = reason;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#wake?.();
    this.#left();
  }
}
