import type { RelPath } from '../model/rel-path.ts';

/** Publications of each path one after the other, so that of several versions the one that came last is there last. */
export class InOrder {
  /** The last publication under way of each path. */
  readonly #last = new Map<RelPath, Promise<void>>();

  run(path: RelPath, publish: () => Promise<void>): Promise<void> {
    const earlier = this.#last.get(path);
    const published = earlier === undefined ? publish() : earlier.then(publish, publish);
    const last = published.finally(() => {
      if (this.#last.get(path) === last) this.#last.delete(path);
    });
    this.#last.set(path, last);
    return last;
  }

  /** Resolves when nothing is under way any more. A rejection is told to whoever publishes. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
