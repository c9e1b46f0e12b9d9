/** Promises under way. None of them may reject: each step deals with its own errors. */
export class WorkSet {
  readonly #work = new Set<Promise<void>>();

  add(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Resolves when nothing is under way, also nothing that was added while it waited. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}
