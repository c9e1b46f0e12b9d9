import { LRUCache } from 'lru-cache';

/** What a body is read and written in, in bytes. A slow reader holds one of these; a thousand of them hold 128 MiB. */
export const BLOCK_BYTES = 128 * 1024;
/** Blocks that are kept for readers, of all bodies: 16 MiB. Most readers of a body are close to each other. */
const MOST_BLOCKS = 128;

/** Blocks of bodies that were written or read lately. Those that several readers want at a time are read once. */
export class BlockCache {
  readonly #blocks = new LRUCache<string, Uint8Array>({ max: MOST_BLOCKS });
  readonly #coming = new Map<string, Promise<Uint8Array>>();

  put(file: number, index: number, block: Uint8Array): void {
    this.#blocks.set(`${file}:${index}`, block);
  }

  get(file: number, index: number, read: () => Promise<Uint8Array>): Uint8Array | Promise<Uint8Array> {
    const key = `${file}:${index}`;
    return this.#blocks.get(key) ?? this.#coming.get(key) ?? this.#read(key, read);
  }

  /** Drops the first `blocks` blocks of a file. */
  forget(file: number, blocks: number): void {
    for (let index = 0; index < blocks; index++) this.#blocks.delete(`${file}:${index}`);
  }

  async #read(key: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const coming = read();
    this.#coming.set(key, coming);
    try {
      const block = await coming;
      this.#blocks.set(key, block);
      return block;
    } finally {
      this.#coming.delete(key);
    }
  }
}
