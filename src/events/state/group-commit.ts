import type { DatabaseSync } from 'node:sqlite';
import type { IsyncError } from '../../model/isync-error.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: IsyncError) => void;
}

/**
 * Lets many writes share one commit: the next one takes whatever came while the last one ran. There is no timer: where nobody
 * else writes, a write is committed in the same turn of the event loop.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #errorOf: (error: unknown) => IsyncError;
  #waiting: Waiter[] = [];

  constructor(db: DatabaseSync, errorOf: (error: unknown) => IsyncError) {
    this.#db = db;
    this.#errorOf = errorOf;
  }

  /** Runs `write` within the transaction at hand. Resolves when that is durable. */
  write(write: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    try {
      if (!this.#db.isTransaction) this.#db.exec('BEGIN IMMEDIATE');
      write();
    } catch (error) {
      reject(this.#errorOf(error));
      // Some errors, a full disk among them, undo the whole transaction.
      if (!this.#db.isTransaction) this.#fail(error);
      return promise;
    }
    this.#waiting.push({ resolve, reject });
    if (this.#waiting.length === 1) setImmediate(() => this.commit());
    return promise;
  }

  /** Makes durable what waits for it. Never throws. */
  commit(): void {
    if (!this.#db.isOpen || !this.#db.isTransaction) return;
    try {
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      this.#fail(error);
      return;
    }
    for (const { resolve } of this.#taken()) resolve();
  }

  #rollBack(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch {
      // The writers are told why the commit failed, which says more.
    }
  }

  #fail(error: unknown): void {
    const failure = this.#errorOf(error);
    for (const { reject } of this.#taken()) reject(failure);
  }

  #taken(): readonly Waiter[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}
