import type { RelPath } from '../model/rel-path.ts';

/**
 * Steps at the same path run one after the other, in the order they were asked for, so that of two versions the one that
 * came later stays. Steps at different paths overlap.
 */
export class PathOrder<Path extends string = RelPath> {
  /** The last step asked for at each path. */
  readonly #last = new Map<Path, Promise<unknown>>();

  /**
   * Runs `step` after every earlier one at `path`, however those ended; at once where there is none. Settles as `step`
   * does.
   */
  run<T>(path: Path, step: () => Promise<T>): Promise<T> {
    const earlier = this.#last.get(path);
    const result = earlier === undefined ? step() : earlier.then(step, step);
    const last = result.finally(() => {
      if (this.#last.get(path) === last) this.#last.delete(path);
    });
    this.#last.set(path, last);
    return last;
  }

  /**
   * Runs `step` at once, at all of `paths`: none of them may be busy. Later steps at any of them wait for it. Settles as `step`
   * does.
   */
  runAll(paths: readonly Path[], step: () => Promise<void>): Promise<void> {
    const last = step().finally(() => {
      for (const path of paths) if (this.#last.get(path) === last) this.#last.delete(path);
    });
    for (const path of paths) this.#last.set(path, last);
    return last;
  }

  /**
   * The first of `items` at each path that is not busy, and all others in their order: what `runAll` may have at once, and what
   * is for `run`, because it has to wait, or is the only one.
   */
  split<Item>(items: readonly Item[], pathOf: (item: Item) => Path): { together: Item[]; inTurn: Item[] } {
    if (items.length === 1) return { together: [], inTurn: [...items] };
    const seen = new Set<Path>();
    const together: Item[] = [];
    const inTurn: Item[] = [];
    for (const item of items) {
      const path = pathOf(item);
      if (this.#last.has(path) || seen.has(path)) inTurn.push(item);
      else together.push(item);
      seen.add(path);
    }
    return { together, inTurn };
  }

  /** Resolves when the steps asked for so far at `path` have ended. A rejection is told to whoever asked for the step. */
  async ended(path: Path): Promise<void> {
    await Promise.allSettled([this.#last.get(path)]);
  }

  /** The same for all paths. */
  async idle(): Promise<void> {
    await Promise.allSettled(new Set(this.#last.values()));
  }
}
