/** Tasks under way, to be waited for together. None may reject: each deals with its own errors. */
export class TaskGroup {
  readonly #tasks = new Set<Promise<void>>();

  add(task: Promise<void>): void {
    const tracked: Promise<void> = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }

  /** Resolves when the tasks that are under way now have ended. */
  async soFar(): Promise<void> {
    await Promise.all(this.#tasks);
  }

  /** Resolves when no task is under way, including those added while it waited. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}
