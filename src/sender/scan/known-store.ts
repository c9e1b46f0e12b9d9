import type { Abortable } from '../../model/abortable.ts';
import type { Target, TargetIdentity } from '../target.ts';

/** Remembers which store is behind the target, for markers may have been written for another one. */
export class KnownStore {
  readonly #target: Target;
  readonly #onChange: () => void;
  #id: string | undefined;

  /** @param onChange called when the target has told another store than before */
  constructor(target: Target, onChange: () => void) {
    this.#target = target;
    this.#onChange = onChange;
  }

  /** Undefined while it is not known, and where the target does not tell. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Asks the target who it is; waits until it answers. */
  async identify(options: Abortable): Promise<TargetIdentity> {
    const identity = await this.#target.identify(options);
    if (identity.store !== this.#id) {
      this.#id = identity.store;
      this.#onChange();
    }
    return identity;
  }
}
