/** Uses memory again: V8 collects that of large buffers as slowly as it is filled, and the kernel clears what is new. */
export class BufferPool {
  readonly #bytes: number;
  readonly #mostKept: number;
  readonly #free: ArrayBufferLike[] = [];
  readonly #lent = new WeakSet<ArrayBufferLike>();

  /**
   * @param bytes of each piece of memory
   * @param mostKept pieces kept for later; all others are left to V8
   */
  constructor(bytes: number, mostKept: number) {
    this.#bytes = bytes;
    this.#mostKept = mostKept;
  }

  /** Returns a buffer of that many bytes, which are not cleared. Only one that fits into a piece can be given back. */
  take(bytes: number): Buffer {
    if (bytes > this.#bytes) return Buffer.allocUnsafeSlow(bytes);
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes).buffer;
    this.#lent.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /** Whether the memory of a buffer is lent. */
  lends({ buffer }: Uint8Array): boolean {
    return this.#lent.has(buffer);
  }

  /**
   * Takes back the memory of a buffer, or of a part of it; nobody may use it after that. One that is never given back only costs its
   * memory. Returns false where it is not of this pool, or was given back before.
   */
  giveBack({ buffer }: Uint8Array): boolean {
    if (!this.#lent.delete(buffer)) return false;
    if (this.#free.length < this.#mostKept) this.#free.push(buffer);
    return true;
  }
}
