import type { RelPath } from '../model/rel-path.ts';

/**
 * Steps at the same path run one after the other, in the order they were asked for, so that of two versions the
 * one sent later stays. Steps at different paths overlap.
 */
export class PathOrder {
  readonly #tails = new Map<RelPath, Promise<void>>();

  /** Runs `step`, which must not reject, after every earlier one at `path`; at once where there is none. */
  run(path: RelPath, step: () => Promise<void>): Promise<void> {
    const earlier = this.#tails.get(path);
    const tail: Promise<void> = (earlier === undefined ? step() : earlier.then(step)).finally(() => {
      if (this.#tails.get(path) === tail) this.#tails.delete(path);
    });
    this.#tails.set(path, tail);
    return tail;
  }

  /** Resolves when the steps asked for so far at `path` are over. */
  async over(path: RelPath): Promise<void> {
    await this.#tails.get(path);
  }
}
