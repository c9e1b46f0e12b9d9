import { dirname } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { createFile } from '../sqlite/create-file.ts';
import { openSqlite, pragmaNumber, sqliteError } from '../sqlite/sqlite.ts';
import { ensureFolder } from '../sqlite/state-folder.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Notice } from './notice.ts';
import { decodeNotice, encodeNotice } from './stored-notice.ts';

/** Notices that wait, unless it is told otherwise: what an outage of weeks leaves of a job. Beyond, the oldest go. */
export const MAX_QUEUED = 1000;
/** The same failure is told at most this often, in ms. */
export const SAME_FAILURE_MS = 6 * 3600_000;
/** Different failures that are remembered: their texts are bounded by codes and targets, so this is never reached by right. */
const MAX_TOLD = 1000;
/** Of the tables below. */
const SCHEMA_VERSION = 1;
/** Another process has the file for milliseconds; a run must not wait for longer than this, in ms: memory takes the notice then. */
const BUSY_MS = 250;

const TABLES = `
  CREATE TABLE notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    run TEXT,
    notice TEXT NOT NULL,
    tries INTEGER NOT NULL,
    nextMs INTEGER NOT NULL,
    claimedUntilMs INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE told (rule TEXT NOT NULL, sameness TEXT NOT NULL, atMs INTEGER NOT NULL, PRIMARY KEY (rule, sameness)) STRICT;
  CREATE TABLE counts (rule TEXT PRIMARY KEY, sent INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT;
  CREATE TABLE conditions (name TEXT PRIMARY KEY, sinceMs INTEGER NOT NULL) STRICT;
`;

/** Of the notices of a run for a rule, the first goes first. */
const FIRST_OF_RUN = `NOT EXISTS (
  SELECT 1 FROM notices AS other WHERE other.rule = one.rule AND other.run = one.run AND other.number < one.number)`;

export interface QueuedNotice {
  readonly number: number;
  readonly notice: Notice;
  /** With the one that it was taken for. */
  readonly tries: number;
}

export interface NoticeCounts {
  readonly waiting: number;
  /** Since there is the state. */
  readonly sent: number;
  /** Of them nobody was told: three tries failed, or the queue was full. */
  readonly lost: number;
}

/**
 * Notices that wait, in a file beside the state of the job: a fault of it can't harm a run. Several processes may have it open; each
 * notice is taken by one of them at a time. Every call may throw an IsyncError.
 */
export class NoticeStore implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #maxQueued: number;

  private constructor(db: DatabaseSync, path: string, maxQueued: number) {
    this.#db = db;
    this.#path = path;
    this.#maxQueued = maxQueued;
  }

  /** @param path of the file, or `:memory:` */
  static async open(path: string, maxQueued = MAX_QUEUED): Promise<NoticeStore> {
    if (path !== ':memory:') {
      await ensureFolder(dirname(path));
      await createFile(path, 'notices');
    }
    let db: DatabaseSync | undefined;
    try {
      db = await openSqlite(path, { timeout: BUSY_MS });
      prepare(db, path);
      return new NoticeStore(db, path, maxQueued);
    } catch (error) {
      db?.close();
      throw noticesError(error, path);
    }
  }

  /**
   * Queues a notice for a rule, durable when it returns.
   * @returns `same` where the same failure was told not long ago; else how many older ones had to go
   */
  add(
    rule: string,
    notice: Notice,
    sameness: string | undefined,
    nowMs: number,
  ): 'same' | { dropped: number } {
    return this.#together(() => {
      if (sameness !== undefined) {
        const before = this.#one('SELECT atMs FROM told WHERE rule = $rule AND sameness = $sameness', {
          rule,
          sameness,
        });
        // Also with a clock that has been set back meanwhile.
        if (before !== undefined && Math.abs(nowMs - Number(before['atMs'])) < SAME_FAILURE_MS) return 'same';
        this.#run('INSERT OR REPLACE INTO told VALUES ($rule, $sameness, $nowMs)', { rule, sameness, nowMs });
        this.#run(
          'DELETE FROM told WHERE rowid NOT IN (SELECT rowid FROM told ORDER BY atMs DESC LIMIT $most)',
          {
            most: MAX_TOLD,
          },
        );
      }
      this.#run(
        `INSERT INTO notices (rule, run, notice, tries, nextMs, claimedUntilMs) VALUES ($rule, $run, $notice, 0, $nowMs, 0)`,
        { rule, run: notice.run ?? null, notice: encodeNotice(notice), nowMs },
      );
      const over = this.#count('SELECT count(*) AS n FROM notices', {}) - this.#maxQueued;
      // Of the same rule: one that somebody floods pushes out nothing of the others.
      for (let left = over; left > 0; left--) this.#dropOldest(rule);
      return { dropped: Math.max(0, over) };
    });
  }

  /**
   * Takes the oldest notice of a rule that is due, for `claimMs`: no other process gets it meanwhile, and where this one dies it is due
   * again behind that. Notices of one run are taken one after the other: its end is never told before its start.
   * @param longestMs the longest that a notice waits: what is due later is of a clock that was ahead
   */
  take(
    rule: string,
    nowMs: number,
    { claimMs, longestMs }: { claimMs: number; longestMs: number },
  ): QueuedNotice | undefined {
    const row = this.#one(
      `UPDATE notices SET tries = tries + 1, claimedUntilMs = $nowMs + $claimMs WHERE number = (
         SELECT number FROM notices AS one
         WHERE rule = $rule
           AND (nextMs <= $nowMs OR nextMs > $nowMs + $longestMs)
           AND (claimedUntilMs <= $nowMs OR claimedUntilMs > $nowMs + $claimMs)
           AND ${FIRST_OF_RUN}
         ORDER BY number LIMIT 1)
       RETURNING number, notice, tries`,
      { rule, nowMs, claimMs, longestMs },
    );
    if (row === undefined) return undefined;
    const number = Number(row['number']);
    const notice = decodeNotice(String(row['notice']));
    if (notice !== undefined) return { number, tries: Number(row['tries']), notice };
    this.lost(rule, number, undefined);
    return this.take(rule, nowMs, { claimMs, longestMs });
  }

  /** When the next notice of a rule is due, in ms since the epoch; undefined: none waits. */
  nextMs(rule: string): number | undefined {
    const sql = `SELECT min(max(nextMs, claimedUntilMs)) AS at FROM notices AS one WHERE rule = $rule AND ${FIRST_OF_RUN}`;
    const at = this.#one(sql, { rule })?.['at'];
    return typeof at === 'number' ? at : undefined;
  }

  sent(rule: string, number: number): void {
    this.#together(() => {
      this.#run('DELETE FROM notices WHERE number = $number', { number });
      this.#countOne(rule, 1, 0);
    });
  }

  again(number: number, nextMs: number): void {
    this.#run('UPDATE notices SET nextMs = $nextMs, claimedUntilMs = 0 WHERE number = $number', {
      number,
      nextMs,
    });
  }

  /** It was not a try after all: this process ends. */
  giveBack(number: number): void {
    this.#run('UPDATE notices SET tries = tries - 1, claimedUntilMs = 0 WHERE number = $number', { number });
  }

  /** Nobody was told; so the same failure may be told again at once. */
  lost(rule: string, number: number, sameness: string | undefined): void {
    this.#together(() => {
      this.#run('DELETE FROM notices WHERE number = $number', { number });
      this.#countOne(rule, 0, 1);
      if (sameness !== undefined)
        this.#run('DELETE FROM told WHERE rule = $rule AND sameness = $sameness', { rule, sameness });
    });
  }

  /** Drops what waits for rules that the config does not have any more. Returns how many. */
  keepRules(rules: readonly string[]): number {
    const json = JSON.stringify(rules);
    return this.#together(() => {
      const of = 'rule NOT IN (SELECT value FROM json_each($json))';
      const gone = this.#count(`SELECT count(*) AS n FROM notices WHERE ${of}`, { json });
      for (const table of ['notices', 'told', 'counts'])
        this.#run(`DELETE FROM ${table} WHERE ${of}`, { json });
      return gone;
    });
  }

  counts(rule: string): NoticeCounts {
    const waiting = this.#count('SELECT count(*) AS n FROM notices WHERE rule = $rule', { rule });
    const row = this.#one('SELECT sent, lost FROM counts WHERE rule = $rule', { rule });
    return { waiting, sent: Number(row?.['sent'] ?? 0), lost: Number(row?.['lost'] ?? 0) };
  }

  /** Since when something has been so, in ms since the epoch; undefined: it is not. */
  since(name: string): number | undefined {
    const sinceMs = this.#one('SELECT sinceMs FROM conditions WHERE name = $name', { name })?.['sinceMs'];
    return typeof sinceMs === 'number' ? sinceMs : undefined;
  }

  /** Everything that is so, of the names that begin with `prefix`. */
  conditions(prefix: string): string[] {
    const rows = this.#guard(() =>
      this.#db
        .prepare('SELECT name FROM conditions WHERE substr(name, 1, length($prefix)) = $prefix')
        .all({ prefix }),
    );
    return rows.map((row) => String(row['name']));
  }

  /** Sets or ends it. Where it is so already, the earlier time stays. Returns whether that changed anything. */
  set(name: string, sinceMs: number | undefined): boolean {
    const sql =
      sinceMs === undefined
        ? 'DELETE FROM conditions WHERE name = $name'
        : 'INSERT OR IGNORE INTO conditions VALUES ($name, $sinceMs)';
    return this.#run(sql, sinceMs === undefined ? { name } : { name, sinceMs }) > 0;
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #dropOldest(rule: string): void {
    const sql = 'DELETE FROM notices WHERE number = (SELECT min(number) FROM notices WHERE rule = $rule)';
    if (this.#run(sql, { rule }) > 0) this.#countOne(rule, 0, 1);
  }

  #countOne(rule: string, sent: number, lost: number): void {
    this.#run(
      `INSERT INTO counts VALUES ($rule, $sent, $lost)
       ON CONFLICT (rule) DO UPDATE SET sent = sent + excluded.sent, lost = lost + excluded.lost`,
      { rule, sent, lost },
    );
  }

  #count(sql: string, values: Record<string, SQLInputValue>): number {
    return Number(this.#one(sql, values)?.['n'] ?? 0);
  }

  #one(sql: string, values: Record<string, SQLInputValue>) {
    return this.#guard(() => this.#db.prepare(sql).get(values));
  }

  #run(sql: string, values: Record<string, SQLInputValue>): number {
    return Number(this.#guard(() => this.#db.prepare(sql).run(values)).changes);
  }

  #together<T>(run: () => T): T {
    this.#guard(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      const result = run();
      this.#guard(() => this.#db.exec('COMMIT'));
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw noticesError(error, this.#path);
    }
  }
}

function prepare(db: DatabaseSync, path: string): void {
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec('BEGIN IMMEDIATE');
  const version = pragmaNumber(db, 'user_version');
  if (version > SCHEMA_VERSION)
    throw new IsyncError('STORE_FAILED', 'the notices file is of a newer isync', {
      path,
      retryable: false,
      hint: 'Update isync.',
    });
  if (version === 0) {
    db.exec(TABLES);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  db.exec('COMMIT');
}

function noticesError(error: unknown, path: string): IsyncError {
  return sqliteError(error, {
    path,
    name: 'notices',
    whenDamaged: `Move it away (mv ${path} ${path}.old): what waits in it is not told, nothing else needs it.`,
  });
}
