/** Items taken are dropped from the array when none waits, or when there are this many of them and no fewer than wait. */
const COMPACT_AT = 1024;

/** A queue with push at its end and shift at its front, both in constant time. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts `items` before all others, in their order. */
  unshift(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head++];
    const isWorth = this.#head >= COMPACT_AT && this.#head * 2 >= this.#items.length;
    if (this.length === 0 || isWorth) this.unshift([]);
    return item;
  }
}
