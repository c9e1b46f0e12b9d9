import type { IsyncError } from '../../model/isync-error.ts';

/** Records remembered, some hundred bytes each. Beyond that a failure counts also once it is mended. */
const MOST_RECORDS = 10_000;

/** What was left undone, with why: each by the text that stands for it. */
export class Undone {
  readonly #reasons = new Map<string, IsyncError>();
  #beyond: IsyncError | undefined;

  /** Why the one that failed last is undone; undefined where all is done. */
  get reason(): IsyncError | undefined {
    return [...this.#reasons.values()].at(-1) ?? this.#beyond;
  }

  failed(what: string, error: IsyncError): void {
    this.#reasons.delete(what);
    if (this.#reasons.size < MOST_RECORDS) this.#reasons.set(what, error);
    else this.#beyond = error;
  }

  settled(what: string): void {
    this.#reasons.delete(what);
  }
}
