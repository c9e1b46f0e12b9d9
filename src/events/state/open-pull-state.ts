import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { GroupCommit } from './group-commit.ts';
import { behindPrefix } from './key-range.ts';
import {
  asRow,
  knownObject,
  number,
  OBJECT_COLUMNS,
  placeOf,
  type Row,
  text,
  valuesOf,
} from './known-object-row.ts';
import { openDatabase } from './open-database.ts';
import type { KnownObject, OwedPath, PartialObject, PathUse, PullState } from './pull-state.ts';
import { stateError } from './state-error.ts';

/** Objects read at a time for a listing, some 500 bytes each: a page holds up the event loop for some 5 ms. */
const PAGE_OBJECTS = 1000;

export interface PullStateOptions {
  readonly log: Log;
}

/**
 * Opens the state in the file at `path`, and makes it where it is missing. Until it is closed no other process can open it.
 * @throws IsyncError FENCED where another one has it; STORE_FULL; STORE_FAILED, which is not retryable for a file that is
 *   damaged or of a newer isync
 */
export async function openPullState(path: string, { log }: PullStateOptions): Promise<PullState> {
  const state = new SqliteState(await openDatabase(path), path);
  log.debug('the state is open', { path });
  return state;
}

class SqliteState implements PullState {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #commits: GroupCommit;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#commits = new GroupCommit(db, (error) => stateError(error, path));
  }

  get(bucket: string, key: string): KnownObject | undefined {
    return this.#object('WHERE bucket = ? AND key = ?', bucket, key);
  }

  set(object: KnownObject): Promise<void> {
    return this.#write(
      `INSERT INTO objects (${OBJECT_COLUMNS}, place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (bucket, key) DO UPDATE SET
         isFolder = excluded.isFolder, folder = excluded.folder, path = excluded.path, place = excluded.place,
         etag = excluded.etag, versionId = excluded.versionId, size = excluded.size, mtimeUs = excluded.mtimeUs,
         sequencer = excluded.sequencer, timeMs = excluded.timeMs`,
      ...valuesOf(object),
      placeOf(object.folder, object.path),
    );
  }

  remove(bucket: string, key: string): Promise<void> {
    return this.#write('DELETE FROM objects WHERE bucket = ? AND key = ?', bucket, key);
  }

  setPending(object: KnownObject): Promise<void> {
    return this.#write(
      `INSERT OR REPLACE INTO pending (${OBJECT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...valuesOf(object),
    );
  }

  removePending(bucket: string, key: string): Promise<void> {
    return this.#write('DELETE FROM pending WHERE bucket = ? AND key = ?', bucket, key);
  }

  pending(): readonly KnownObject[] {
    return this.#rows(`SELECT ${OBJECT_COLUMNS} FROM pending`).map((row) => knownObject(row, this.#path));
  }

  useOf(folder: string, path: RelPath | ''): PathUse {
    const place = placeOf(folder, path);
    const [from, to] = place === '/' ? ['/', '0'] : [`${place}/`, `${place}0`];
    return {
      owner: this.#object('WHERE place = ? ORDER BY isFolder LIMIT 1', place),
      below: this.#object('WHERE place > ? AND place < ? LIMIT 1', from, to),
      above: this.#fileAbove(place),
    };
  }

  *list(bucket: string, prefix: string): Generator<KnownObject> {
    let from = prefix;
    for (;;) {
      const page = this.#page(bucket, from, behindPrefix(prefix));
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_OBJECTS) return;
      // The next text there can be.
      from = `${last.key}\0`;
    }
  }

  count(bucket: string, prefix: string): number {
    const end = behindPrefix(prefix);
    const counted =
      end === undefined
        ? this.#row('SELECT count(*) FROM objects WHERE bucket = ? AND key >= ?', bucket, prefix)
        : this.#row(
            'SELECT count(*) FROM objects WHERE bucket = ? AND key >= ? AND key < ?',
            bucket,
            prefix,
            end,
          );
    return counted === undefined ? 0 : number(counted[0], this.#path);
  }

  buckets(): readonly string[] {
    const found: string[] = [];
    // By the index, a step a bucket: DISTINCT would walk over all objects.
    for (let last = ''; ;) {
      const [next] = this.#row('SELECT min(bucket) FROM objects WHERE bucket > ?', last) ?? [];
      if (next === undefined || next === null) return found;
      last = text(next, this.#path);
      found.push(last);
    }
  }

  partial(bucket: string, key: string): PartialObject | undefined {
    const row = this.#row('SELECT etag FROM partials WHERE bucket = ? AND key = ?', bucket, key);
    return row === undefined ? undefined : { bucket, key, etag: text(row[0], this.#path) };
  }

  setPartial({ bucket, key, etag }: PartialObject): Promise<void> {
    return this.#write(
      'INSERT OR REPLACE INTO partials (bucket, key, etag) VALUES (?, ?, ?)',
      bucket,
      key,
      etag,
    );
  }

  removePartial(bucket: string, key: string): Promise<void> {
    return this.#write('DELETE FROM partials WHERE bucket = ? AND key = ?', bucket, key);
  }

  storeId(folder: string): string | undefined {
    const row = this.#row('SELECT id FROM stores WHERE folder = ?', folder);
    return row === undefined ? undefined : text(row[0], this.#path);
  }

  setStoreId(folder: string, id: string): Promise<void> {
    return this.#write('INSERT OR REPLACE INTO stores (folder, id) VALUES (?, ?)', folder, id);
  }

  owed(limit: number): readonly OwedPath[] {
    const rows = this.#rows('SELECT id, path FROM owed ORDER BY id LIMIT ?', limit);
    return rows.map(([id, path]) => ({ id: number(id, this.#path), path: text(path, this.#path) }));
  }

  setOwed(paths: readonly string[]): Promise<void> {
    return this.#writes(
      'INSERT OR REPLACE INTO owed (path) VALUES (?)',
      paths.map((path) => [path]),
    );
  }

  removeOwed(owed: readonly OwedPath[]): Promise<void> {
    return this.#writes(
      'DELETE FROM owed WHERE id = ?',
      owed.map(({ id }) => [id]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#db.isOpen) return;
    this.#commits.commit();
    try {
      this.#db.close();
    } catch (error) {
      throw stateError(error, this.#path);
    }
  }

  /** The first ancestor, from the top, at which a key wrote a file. */
  #fileAbove(place: string): KnownObject | undefined {
    for (let slash = place.indexOf('/', 1); slash > 0; slash = place.indexOf('/', slash + 1)) {
      const found = this.#object('WHERE place = ? AND isFolder = 0 LIMIT 1', place.slice(0, slash));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #page(bucket: string, from: string, end: string | undefined): KnownObject[] {
    const select = `SELECT ${OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key >= ?`;
    const rest = `ORDER BY key LIMIT ${PAGE_OBJECTS}`;
    const rows =
      end === undefined
        ? this.#rows(`${select} ${rest}`, bucket, from)
        : this.#rows(`${select} AND key < ? ${rest}`, bucket, from, end);
    return rows.map((row) => knownObject(row, this.#path));
  }

  #object(where: string, ...values: SQLInputValue[]): KnownObject | undefined {
    const row = this.#row(`SELECT ${OBJECT_COLUMNS} FROM objects ${where}`, ...values);
    return row === undefined ? undefined : knownObject(row, this.#path);
  }

  #row(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#rows(sql, ...values)[0];
  }

  #rows(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#reading(() =>
      this.#statement(sql)
        .all(...values)
        .map(asRow),
    );
  }

  #reading<T>(read: () => T): T {
    this.#checkOpen();
    try {
      return read();
    } catch (error) {
      throw stateError(error, this.#path);
    }
  }

  #write(sql: string, ...values: SQLInputValue[]): Promise<void> {
    return this.#writes(sql, [values]);
  }

  async #writes(sql: string, rows: readonly (readonly SQLInputValue[])[]): Promise<void> {
    this.#checkOpen();
    await this.#commits.write(() => {
      const statement = this.#statement(sql);
      if (rows.length > 1) this.#together(() => rows.forEach((values) => statement.run(...values)));
      else for (const values of rows) statement.run(...values);
    });
  }

  /** Runs several statements within a transaction, all or none. */
  #together(run: () => void): void {
    this.#db.exec('SAVEPOINT several');
    try {
      run();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK TO several; RELEASE several');
      throw error;
    }
    this.#db.exec('RELEASE several');
  }

  /** Made once and kept: there is one for each text of this file. */
  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#db.prepare(sql);
    made.setReturnArrays(true);
    this.#statements.set(sql, made);
    return made;
  }

  #checkOpen(): void {
    if (!this.#db.isOpen) throw new IsyncError('INTERNAL', 'the state is closed', { path: this.#path });
  }
}
