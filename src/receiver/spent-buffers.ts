/**
 * Content let go of, in bytes, after which the young generation is collected: a fraction of a millisecond of work every
 * few milliseconds at full speed. With twice as much some buffers are met alive twice, and become old.
 */
const COLLECT_EVERY_BYTES = 8 * 1024 * 1024;

/**
 * Has the memory of received content collected as it dies. V8 counts it as part of the heap but collects by the size of
 * objects, which here are tiny beside their buffers: left alone it goes through everything, most of it alive, after
 * every 20 MB that are received. Does nothing where the process has no `gc` function (see cli/heap-growth.ts).
 */
export class SpentBuffers {
  #bytes = 0;

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    globalThis.gc?.({ type: 'minor' });
  }
}
