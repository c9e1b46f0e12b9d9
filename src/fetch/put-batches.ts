import type { FileEntry } from '../model/file-entry.ts';
import type { FileDigest, Store, WholeFile } from '../store/store.ts';

interface Waiting extends WholeFile {
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Puts the files that come in one turn of the event loop together: one answer of a receiver brings many. */
export class PutBatches {
  readonly #store: Pick<Store, 'putMany'>;
  #waiting: Waiting[] = [];

  constructor(store: Pick<Store, 'putMany'>) {
    this.#store = store;
  }

  /** As `Store.put` does with `replaceDamaged`. */
  put(file: FileEntry, bytes: Uint8Array, digest: FileDigest): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#putAll());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ file, bytes, digest, resolve, reject });
    });
  }

  #putAll(): void {
    const files = this.#waiting;
    this.#waiting = [];
    const outcome = {
      kept: ({ resolve }: Waiting) => resolve(),
      refused: ({ reject }: Waiting, reason: unknown) => reject(reason),
    };
    void this.#store.putMany(files, outcome, { replaceDamaged: true });
  }
}
