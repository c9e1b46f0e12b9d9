import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { IsyncError } from '../../model/isync-error.ts';
import { lockHolder } from '../../sqlite/lock-holder.ts';
import { createFile } from '../../sqlite/create-file.ts';
import { isBusy, openSqlite, pragmaNumber } from '../../sqlite/sqlite.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';
import { moveAway, stateError } from './state-error.ts';

/** Told by `PRAGMA application_id`, so that file(1) and we know the file: "isyn". */
const APPLICATION_ID = 0x69_73_79_6e;
/** Of the tables below, as `PRAGMA user_version`. A file of a newer one is left alone. */
const SCHEMA_VERSION = 1;
/** Pages kept in memory, in KiB: the upper levels of the trees of a million keys. */
const CACHE_KIB = 4 * 1024;
/** What the write-ahead log may stay at after a checkpoint, in bytes: bursts make it larger for a while. */
const WAL_BYTES = 16 * 1024 * 1024;

/**
 * Keys are compared as the bytes of their UTF-8, which is what BINARY does. `place` is the absolute path: by its index a path is
 * found with what lies above and below, also where mapped folders lie inside one another.
 */
const TABLES = `
  CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    isFolder INTEGER NOT NULL,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    place TEXT NOT NULL,
    etag TEXT NOT NULL,
    versionId TEXT,
    size INTEGER NOT NULL,
    mtimeUs INTEGER NOT NULL,
    sequencer TEXT,
    timeMs INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX objects_by_key ON objects (bucket, key);
  CREATE INDEX objects_by_place ON objects (place, isFolder);
  CREATE TABLE pending (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    isFolder INTEGER NOT NULL,
    folder TEXT NOT NULL,
    path TEXT NOT NULL,
    etag TEXT NOT NULL,
    versionId TEXT,
    size INTEGER NOT NULL,
    mtimeUs INTEGER NOT NULL,
    sequencer TEXT,
    timeMs INTEGER,
    PRIMARY KEY (bucket, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE partials (
    bucket TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, PRIMARY KEY (bucket, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE stores (folder TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE owed (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE) STRICT;
`;

/**
 * Opens the database at `path`, and makes it, with its folder, where it is missing. It is this process's alone until it is
 * closed or the process ends, however it does.
 * @throws IsyncError FENCED, STORE_FULL, STORE_FAILED
 */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  await ensureFolder(dirname(path));
  await createFile(path, 'state');
  let db: DatabaseSync | undefined;
  try {
    // No wait for a lock: whoever has it keeps it for long.
    db = await openSqlite(path, { timeout: 0, enableForeignKeyConstraints: false });
    prepare(db, path);
    return db;
  } catch (error) {
    db?.close();
    throw isBusy(error) ? fenced(path, error) : stateError(error, path);
  }
}

function prepare(db: DatabaseSync, path: string): void {
  // Before the first look: then there is no shared memory, and whoever has the lock keeps it.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  // One that is not ours, or newer, is not written to. An empty one is not looked at: two processes that do so at a time would
  // keep each other from writing.
  const isEmpty = statSync(path).size === 0;
  if (!isEmpty) check(db, path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  db.exec(`PRAGMA journal_size_limit = ${WAL_BYTES}`);
  db.exec('BEGIN EXCLUSIVE');
  if (pragmaNumber(db, 'user_version') === 0) create(db);
  db.exec('COMMIT');
}

function check(db: DatabaseSync, path: string): void {
  const version = pragmaNumber(db, 'user_version');
  const isOurs = pragmaNumber(db, 'application_id') === APPLICATION_ID;
  // A process that was killed as it made the file has left one without anything in it.
  const isBlank = version === 0 && db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
  if (!isOurs && !isBlank) throw foreign(path);
  if (version > SCHEMA_VERSION) throw tooNew(version, path);
}

function create(db: DatabaseSync): void {
  db.exec(TABLES);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
}

function foreign(path: string): IsyncError {
  return new IsyncError('STORE_FAILED', 'the state file is a database of another program', {
    path,
    retryable: false,
    hint: 'Choose another folder with "state".',
  });
}

function tooNew(version: number, path: string): IsyncError {
  const message = `the state file is of a newer isync (version ${version}; this one knows ${SCHEMA_VERSION})`;
  return new IsyncError('STORE_FAILED', message, {
    path,
    retryable: false,
    hint: `Update isync. Or: ${moveAway(path)}`,
  });
}

function fenced(path: string, cause: unknown): IsyncError {
  const pid = lockHolder(path);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new IsyncError('FENCED', `${who} works with this state already`, {
    path,
    cause,
    hint: 'One process a state: let it end, stop it, or give this one another folder with "state".',
  });
}
