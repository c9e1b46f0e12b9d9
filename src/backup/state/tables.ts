import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { stateError } from './database.ts';

type Values = Readonly<Record<string, SQLInputValue>>;

/** Statements, each prepared once; what they fail with is an IsyncError. */
export class Tables implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  one(sql: string, values: Values = {}) {
    return this.#guard(() => this.#statement(sql).get({ ...values }));
  }

  all(sql: string, values: Values = {}) {
    return this.#guard(() => this.#statement(sql).all({ ...values }));
  }

  change(sql: string, values: Values): void {
    this.#guard(() => this.#statement(sql).run({ ...values }));
  }

  together(run: () => void): void {
    this.#guard(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      run();
      this.#guard(() => this.#db.exec('COMMIT'));
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Leaves nothing of what was deleted in SQLite's journal, unless another process reads just now. */
  emptyJournal(): void {
    this.#guard(() => this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string) {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw stateError(error, this.#path);
    }
  }
}
