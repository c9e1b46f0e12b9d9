import type { Abortable } from '../../model/abortable.ts';
import { MAX_PATHS_PER_MESSAGE, MAX_READ_BYTES } from '../../protocol/limits.ts';
import type { Content, FileRange } from '../../protocol/messages.ts';

type Part = Content['parts'][number];
type Ask = (ranges: readonly FileRange[], options: Abortable) => Promise<Content['parts']>;

interface Wanted {
  readonly range: FileRange;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (part: Part) => void;
  readonly reject: (reason: unknown) => void;
}

/** Puts what is wanted in one turn of the event loop into few requests, so that small files cost no round trip each. */
export class ReadBatches {
  readonly #ask: Ask;
  #wanted: Wanted[] = [];

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** @param range of at most MAX_READ_BYTES */
  async read(range: FileRange, signal: AbortSignal | undefined): Promise<Part> {
    signal?.throwIfAborted();
    if (this.#wanted.length === 0) setImmediate(() => this.#askAll());
    return await new Promise((resolve, reject) => {
      this.#wanted.push({ range, signal, resolve, reject });
    });
  }

  #askAll(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    let batch: Wanted[] = [];
    let bytes = 0;
    for (const each of wanted) {
      const isFull = batch.length === MAX_PATHS_PER_MESSAGE || bytes + each.range.length > MAX_READ_BYTES;
      if (isFull || each.signal !== (batch[0] ?? each).signal) {
        void this.#askFor(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(each);
      bytes += each.range.length;
    }
    void this.#askFor(batch);
  }

  /** Never rejects. All of a batch have one signal. */
  async #askFor(batch: readonly Wanted[]): Promise<void> {
    try {
      const ranges = batch.map(({ range }) => range);
      const parts = await this.#ask(ranges, { signal: batch[0]?.signal });
      for (const [at, { resolve }] of batch.entries()) resolve(parts[at]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
