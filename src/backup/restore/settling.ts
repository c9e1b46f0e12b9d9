import { Limiter } from '../../flow/limiter.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import { type IsyncError, toIsyncError } from '../../model/isync-error.ts';

/** Files that are brought to the disk at a time: a disk does many such at once nearly as fast as one. Each holds a descriptor. */
const FILES_AT_ONCE = 16;

/** Brings files to the disk while others are written. */
export class Settling {
  readonly #limiter = new Limiter(FILES_AT_ONCE);
  readonly #tasks = new TaskGroup();
  #failure: IsyncError | undefined;

  /** Resolves when it has begun. What it fails with is told by the next call of either kind. */
  async add(settle: () => Promise<void>): Promise<void> {
    const place = await this.#limiter.enter();
    this.#tasks.add(
      settle()
        .catch((error: unknown) => {
          this.#failure ??= toIsyncError(error, 'INTERNAL');
        })
        .finally(() => place[Symbol.dispose]()),
    );
    this.#throwFailure();
  }

  /** Resolves when all have ended. */
  async idle(): Promise<void> {
    await this.#tasks.idle();
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
