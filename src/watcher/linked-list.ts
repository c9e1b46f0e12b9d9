/** An entry of one {@link LinkedList} at a time. */
export interface ListEntry<T> {
  prev: T | undefined;
  next: T | undefined;
}

/**
 * A queue with removal from anywhere, all in constant time. (A Map in insertion order looks like one, but finding
 * its first entry walks over every hole that deletions left in front.)
 */
export class LinkedList<T extends ListEntry<T>> {
  #first: T | undefined;
  #last: T | undefined;

  get first(): T | undefined {
    return this.#first;
  }

  append(entry: T): void {
    entry.prev = this.#last;
    entry.next = undefined;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
  }

  /** `entry` must stand in this list. */
  remove(entry: T): void {
    if (entry.prev === undefined) this.#first = entry.next;
    else entry.prev.next = entry.next;
    if (entry.next === undefined) this.#last = entry.prev;
    else entry.next.prev = entry.prev;
    entry.prev = undefined;
    entry.next = undefined;
  }
}
