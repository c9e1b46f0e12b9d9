/**
 * Bytes of content that may be freed between two collections of the young generation. At full speed that is a fraction of
 * a millisecond of work every few milliseconds. With twice as much, some buffers survive two collections and become old.
 */
const COLLECT_EVERY_BYTES = 8 * 1024 * 1024;

/**
 * Has V8 scavenge (collect its young generation) as received content is freed. V8 decides by the size of objects, which
 * are tiny beside their buffers, yet counts the buffers as heap: left alone, it collects the whole heap, most of it alive,
 * after every 20 MB received. Does nothing where the process has no `gc` function (see cli/heap-growth.ts).
 */
export class Scavenger {
  readonly #everyBytes: number;
  #bytes = 0;

  constructor(everyBytes = COLLECT_EVERY_BYTES) {
    this.#everyBytes = everyBytes;
  }

  freed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#everyBytes) return;
    this.#bytes = 0;
    globalThis.gc?.({ type: 'minor' });
  }
}
