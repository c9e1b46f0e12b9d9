import type { DatabaseSync } from 'node:sqlite';
import type { IsyncError } from '../../model/isync-error.ts';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: IsyncError) => void;
}

/**
 * How many times longer than a commit took the next one waits at least: commits hold up everything else here, and the more writes share
 * one, the fewer there are.
 */
const PAUSE_SHARE = 3;
/** Longest such wait, in ms: after a commit that a busy disk has held up. */
const LONGEST_PAUSE_MS = 20;
/** Writes of one commit up to which the next one does not wait: one file at a time makes as many. */
const FEW_WRITES = 2;

/**
 * Lets many writes share one commit. Where few write, a write is committed in the same turn of the event loop; else the next
 * commit takes whatever came in a while after the last one.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #errorOf: (error: unknown) => IsyncError;
  #waiting: Waiter[] = [];
  /** When the next commit may begin, on the clock of performance.now(). */
  #nextMs = 0;

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
    if (this.#waiting.length === 1) this.#plan();
    return promise;
  }

  #plan(): void {
    const commit = (): void => {
      const isAlone = this.#waiting.length <= FEW_WRITES;
      const beganMs = performance.now();
      this.commit();
      const endedMs = performance.now();
      const pauseMs = Math.min(LONGEST_PAUSE_MS, PAUSE_SHARE * (endedMs - beganMs));
      this.#nextMs = isAlone ? 0 : endedMs + pauseMs;
    };
    const pauseMs = this.#nextMs - performance.now();
    if (pauseMs > 0) setTimeout(commit, pauseMs);
    else setImmediate(commit);
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
