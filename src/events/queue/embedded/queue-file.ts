import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { IsyncError } from '../../../model/isync-error.ts';
import { asRow, type Row } from '../../state/known-object-row.ts';
import type { QueueCounts, QueueMessage } from '../event-queue.ts';
import type { Taken, TakenMessage, ThreadOptions } from './commands.ts';
import { blob, number, text } from './columns.ts';
import { FileInPlace } from './file-in-place.ts';
import { State } from './open-queue-file.ts';
import { RecentIds } from '../recent-ids.ts';

/** Of the bodies of one take, in bytes: the last one may go beyond. */
const TAKE_BYTES = 4 * 1024 * 1024;
/** Longest delay, in ms. */
const LONGEST_DELAY_MS = 3_600_000;
/** Ids remembered, of 150 bytes each. What is published once more, because of an error, comes before so many others. */
const RECENT_IDS = 10_000;
/** Rows read at a time for their ids. */
const RECALLED = 1000;
/** Of a message, in the order in which they are read. */
const TAKEN = 'seq, id, sentMs, attempt, failures';
/** Free pages that are kept for what comes, 16 MiB, and how many are given back to the disk in one go. */
const SPARE_PAGES = 4096;
const VACUUM_PAGES = 1024;

/**
 * The messages in the file. Whatever writes is called within {@link transaction}, on one thread.
 *
 * Delays are told by a clock that nobody can set, which begins with the process, as `nowMs`: whoever works on the file next knows
 * none of them (see {@link giveBack}).
 */
export class QueueFile {
  readonly #db: DatabaseSync;
  readonly #options: ThreadOptions;
  readonly #statements = new Map<string, StatementSync>();
  readonly #recent = new RecentIds(RECENT_IDS);
  readonly #place: FileInPlace;
  /** Published in the transaction at hand. */
  #fresh = new Map<string, number>();
  /**
   * Of the transaction at hand, what messages may still take on the disk, in bytes. The file system is asked once: for each publish
   * that would cost more than the publish itself.
   */
  #roomBytes: number | undefined;
  #totals = { waiting: 0, dead: 0 };

  constructor(db: DatabaseSync, options: ThreadOptions) {
    this.#db = db;
    this.#options = options;
    this.#place = new FileInPlace(options.path);
    this.#recall();
  }

  get path(): string {
    return this.#options.path;
  }

  /** Changes whenever another process has committed. */
  get version(): number {
    return this.#pragma('data_version');
  }

  /** Runs `write`; durable, or undone, when it returns or throws. SQLITE_BUSY where another process writes now. */
  transaction(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      this.#fresh = new Map();
      this.#roomBytes = undefined;
      const [waiting, dead] = this.row('SELECT waiting, dead FROM totals') ?? [];
      this.#totals = { waiting: number(waiting), dead: number(dead) };
      const before = { ...this.#totals };
      write();
      if (before.waiting !== this.#totals.waiting || before.dead !== this.#totals.dead)
        this.run('UPDATE totals SET waiting = ?, dead = ?', this.#totals.waiting, this.#totals.dead);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    for (const [id, atMs] of this.#fresh) this.#recent.add(id, atMs);
  }

  /** @throws IsyncError STORE_FULL, STORE_FAILED (retryable); the transaction goes on without these. */
  publish(messages: readonly QueueMessage[], sentMs: number, nowMs: number): void {
    const added = new Map<string, string>();
    for (const { id, body } of messages)
      if (!added.has(id) && !this.#fresh.has(id) && !this.#recent.has(id, nowMs)) added.set(id, body);
    this.#checkRoom(added);
    for (const [id, body] of added) {
      // As bytes, of which SQLite makes its own copy: a Buffer each would be one more.
      const seq = this.run('INSERT INTO bodies (body) VALUES (CAST(? AS BLOB))', body);
      this.run('INSERT INTO messages VALUES (?, ?, ?, 0, ?, 0, 0)', seq, id, sentMs, State.ready);
      this.#fresh.set(id, nowMs);
    }
    this.#totals.waiting += added.size;
  }

  /** Whether there is one to take. */
  hasReady(nowMs: number): boolean {
    return this.#ready(1).length + this.#due(nowMs, 1).length > 0;
  }

  take(limit: number, nowMs: number): Taken {
    const ready = this.#ready(limit);
    const due = this.#due(nowMs, limit);
    // Half of each where there are enough: neither those that fail nor the backlog may hold up the others.
    const dueCount = Math.max(Math.ceil(limit / 2), limit - ready.length);
    const rows = [...due.slice(0, dueCount), ...ready].slice(0, limit);
    const messages: TakenMessage[] = [];
    let bytes = 0;
    for (const [seq, id, sentMs, attempt, failures] of rows) {
      const body = blob(this.row('SELECT body FROM bodies WHERE seq = ?', number(seq))?.[0]);
      const taken = {
        seq: number(seq),
        id: text(id),
        sentMs: number(sentMs),
        attempt: number(attempt) + 1,
        failures: number(failures),
      };
      this.run(
        'UPDATE messages SET state = ?, dueMs = 0, attempt = ? WHERE seq = ?',
        State.inHand,
        taken.attempt,
        taken.seq,
      );
      messages.push({ ...taken, body: body.toString() });
      bytes += body.length;
      if (bytes >= TAKE_BYTES) break;
    }
    return { messages, dueInMs: messages.length === 0 ? this.#dueInMs(nowMs) : undefined };
  }

  remove(seq: number): void {
    if (this.#isGone('DELETE FROM messages WHERE seq = ?', seq)) return;
    this.run('DELETE FROM bodies WHERE seq = ?', seq);
    this.#totals.waiting -= 1;
  }

  release(seq: number, delayMs: number, failures: number, nowMs: number): void {
    const delay = Math.min(LONGEST_DELAY_MS, Math.max(0, Math.ceil(delayMs)));
    const [state, dueMs] = delay === 0 ? [State.ready, 0] : [State.delayed, Math.ceil(nowMs + delay)];
    const sql = 'UPDATE messages SET state = ?, dueMs = ?, failures = max(failures, ?) WHERE seq = ?';
    this.run(sql, state, dueMs, failures, seq);
  }

  /**
   * What was in hand, or waited for its time, is there again, in the order in which it was published: the next worker knows no
   * other, and what comes meanwhile must not overtake what has failed.
   */
  giveBack(): void {
    this.run('UPDATE messages SET state = ?, dueMs = 0 WHERE state <> ?', State.ready, State.ready);
  }

  bury(seq: number, reason: string, buriedMs: number): void {
    this.run(
      `INSERT INTO dead (seq, id, sentMs, attempts, reason, buriedMs)
       SELECT seq, id, sentMs, attempt, ?, ? FROM messages WHERE seq = ?`,
      reason,
      buriedMs,
      seq,
    );
    if (this.#isGone('DELETE FROM messages WHERE seq = ?', seq)) return;
    this.#totals.waiting -= 1;
    this.#totals.dead += 1;
  }

  replay(id: string): number {
    const replayed = this.#count(
      `INSERT INTO messages SELECT seq, id, sentMs, 0, ${State.ready}, 0, 0 FROM dead WHERE id = ?`,
      id,
    );
    this.run('DELETE FROM dead WHERE id = ?', id);
    this.#totals.dead -= replayed;
    this.#totals.waiting += replayed;
    return replayed;
  }

  drop(id: string): number {
    this.run('DELETE FROM bodies WHERE seq IN (SELECT seq FROM dead WHERE id = ?)', id);
    const dropped = this.#count('DELETE FROM dead WHERE id = ?', id);
    this.#totals.dead -= dropped;
    return dropped;
  }

  counts(): QueueCounts {
    const [all, dead] = this.row('SELECT waiting, dead FROM totals') ?? [];
    const [inHand] = this.row('SELECT count(*) FROM messages WHERE state = ?', State.inHand) ?? [];
    const [oldestMs] = this.row('SELECT sentMs FROM messages ORDER BY seq LIMIT 1') ?? [];
    return {
      waiting: number(all) - number(inHand),
      inHand: number(inHand),
      dead: number(dead),
      oldestMs: oldestMs === undefined ? undefined : number(oldestMs),
    };
  }

  /** Gives pages that a backlog has left behind back to the disk, some at a time; true where more are left. */
  shrink(): boolean {
    const free = this.#pragma('freelist_count');
    if (free < SPARE_PAGES || free * 2 < this.#pragma('page_count')) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    return true;
  }

  /** Empties the log into the file, which makes room where the file has free pages. */
  checkpoint(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  row(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.rows(sql, ...values)[0];
  }

  rows(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql)
      .all(...values)
      .map(asRow);
  }

  /** Returns the key of the row that was inserted last. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).lastInsertRowid);
  }

  close(): void {
    this.#db.close();
  }

  /** A page at a time: all rows at once would take far more memory than the ids. */
  #recall(): void {
    const [last] = this.row('SELECT max(seq) FROM messages') ?? [];
    if (last === null || last === undefined) return;
    const nowMs = performance.now();
    for (let from = Math.max(0, number(last) - RECENT_IDS); from < number(last); from += RECALLED) {
      const rows = this.rows(
        'SELECT id, sentMs FROM messages WHERE seq > ? AND seq <= ?',
        from,
        from + RECALLED,
      );
      for (const [id, sentMs] of rows)
        this.#recent.add(text(id), nowMs - Math.max(0, Date.now() - number(sentMs)));
    }
  }

  #count(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  #isGone(deletion: string, seq: number): boolean {
    return this.#count(deletion, seq) === 0;
  }

  #ready(limit: number): Row[] {
    return this.rows(
      `SELECT ${TAKEN} FROM messages WHERE state = ${State.ready} AND dueMs = 0 ORDER BY seq LIMIT ?`,
      limit,
    );
  }

  #due(nowMs: number, limit: number): Row[] {
    const sql = `SELECT ${TAKEN} FROM messages WHERE state = ${State.delayed} AND dueMs <= ? ORDER BY dueMs LIMIT ?`;
    return this.rows(sql, nowMs, limit);
  }

  /** How long it is until the first delay is over, in ms; undefined where there is none. */
  #dueInMs(nowMs: number): number | undefined {
    const sql = 'SELECT dueMs FROM messages WHERE state = ? ORDER BY dueMs LIMIT 1';
    const row = this.row(sql, State.delayed);
    return row === undefined ? undefined : number(row[0]) - nowMs;
  }

  #checkRoom(added: ReadonlyMap<string, string>): void {
    const { path, maxMessages, minFreeBytes } = this.#options;
    const { waiting, dead } = this.#totals;
    if (waiting + dead + added.size > maxMessages)
      throw new IsyncError('STORE_FULL', `the queue is full: ${waiting} messages and ${dead} dead ones`, {
        path,
        hint: `It holds ${maxMessages}. See that workers run; drop or replay dead messages.`,
      });
    const room = (this.#roomBytes ??= this.#room());
    let bytes = 0;
    for (const body of added.values()) bytes += Buffer.byteLength(body);
    if (bytes > room)
      throw new IsyncError('STORE_FULL', 'the disk of the queue has too little free space', {
        path,
        hint: `${minFreeBytes} bytes stay free there. Free some space; it goes on by itself.`,
      });
    this.#roomBytes = room - bytes;
  }

  /** @throws IsyncError STORE_FAILED where the file is not in its place any more */
  #room(): number {
    this.#place.check();
    const { path, minFreeBytes } = this.#options;
    if (minFreeBytes === 0) return Infinity;
    const { bavail, bsize } = statfsSync(dirname(path));
    // What the file has free takes nothing from the disk.
    return bavail * bsize + this.#pragma('freelist_count') * this.#pragma('page_size') - minFreeBytes;
  }

  /** The number that `PRAGMA name` tells. */
  #pragma(name: string): number {
    return number(this.row(`PRAGMA ${name}`)?.[0]);
  }

  #rollBack(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    } catch {
      // The caller is told why the transaction failed, which says more.
    }
  }

  /** Made once and kept: there is one for each text of this folder. */
  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#db.prepare(sql);
    made.setReturnArrays(true);
    this.#statements.set(sql, made);
    return made;
  }
}
