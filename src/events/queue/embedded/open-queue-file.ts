import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { IsyncError } from '../../../model/isync-error.ts';
import { lockHolder } from '../../../sqlite/lock-holder.ts';
import { createFile } from '../../../sqlite/create-file.ts';
import { isBusy, openSqlite, pragmaNumber, sqliteError } from '../../../sqlite/sqlite.ts';
import { ensureFolder } from '../../../sqlite/state-folder.ts';

/** Told by `PRAGMA application_id`: "isyq". */
const APPLICATION_ID = 0x69_73_79_71;
/** Of the tables below, as `PRAGMA user_version`. A file of a newer one is left alone. */
const SCHEMA_VERSION = 2;
/** Pages kept in memory, in KiB: the upper levels of the trees of a million messages, and their ends. */
const CACHE_KIB = 2 * 1024;
/** What the write-ahead log may stay at after a checkpoint, in bytes: bursts make it larger for a while. */
const WAL_BYTES = 16 * 1024 * 1024;
/** Pages of the log at which a commit carries it over to the file, 4 KiB each: rare enough for the p99, 16 MiB. */
const CHECKPOINT_PAGES = 4000;
/** How long opening waits for another process that opens the file at the same moment, in ms. */
const OPEN_MS = 10_000;

/**
 * `state`: see {@link State}. A body has a table of its own, so that a delivery does not write it again; `seq` is the same, and
 * is never used twice. `totals` spares counting.
 */
const TABLES = `
  CREATE TABLE bodies (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL) STRICT;
  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    sentMs INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state INTEGER NOT NULL,
    dueMs INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX messages_by_state ON messages (state, dueMs);
  CREATE TABLE dead (
    burial INTEGER PRIMARY KEY AUTOINCREMENT,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    sentMs INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    buriedMs INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX dead_by_id ON dead (id);
  CREATE TABLE totals (waiting INTEGER NOT NULL, dead INTEGER NOT NULL) STRICT;
  INSERT INTO totals VALUES (0, 0);
`;

/** Of a message. `dueMs` is 0 in all of them but `delayed`, so that each is in the order of `seq`. */
export const State = { ready: 0, delayed: 1, inHand: 2 } as const;

/**
 * Opens the queue in the file at `path`, and makes it, with its folder, where it is missing. Several processes may have it open:
 * each transaction begins with BEGIN IMMEDIATE, which fails at once where another one writes.
 * @throws IsyncError BUSY, STORE_FULL, STORE_FAILED
 */
export async function openQueueFile(path: string): Promise<DatabaseSync> {
  await ensureFolder(dirname(path));
  await createFile(path, 'queue');
  let db: DatabaseSync | undefined;
  try {
    db = await openSqlite(path, { timeout: OPEN_MS, enableForeignKeyConstraints: false });
    prepare(db, path);
    return db;
  } catch (error) {
    db?.close();
    throw queueFileError(error, path);
  }
}

/**
 * Makes this process the one that works on the queue at `path`, until what is returned is closed or the process ends.
 * @throws IsyncError FENCED
 */
export async function lockForWork(path: string): Promise<DatabaseSync> {
  const lockPath = `${path}-worker`;
  await createFile(lockPath, 'queue');
  let db: DatabaseSync | undefined;
  try {
    db = await openSqlite(lockPath, { timeout: 0 });
    // Nothing is written: the lock is all that is wanted of it, because the kernel takes it off a killed process.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    db.exec('PRAGMA journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db?.close();
    throw isBusy(error) ? fenced(path, lockPath, error) : queueFileError(error, lockPath);
  }
}

export function queueFileError(error: unknown, path: string): IsyncError {
  if (isBusy(error))
    return new IsyncError('BUSY', 'another process has kept the queue file locked for long', {
      path,
      cause: error,
      hint: 'See which one it is with: fuser FILE; it goes on by itself.',
    });
  const whenDamaged = `Nothing of it can be relied on. Save what is left (sqlite3 ${path} .recover), move it away (mv ${path} ${path}.old, and ${path}-wal where there is one), start again, and compare the buckets.`;
  return sqliteError(error, { path, name: 'queue', whenDamaged });
}

function prepare(db: DatabaseSync, path: string): void {
  // Only here, before the first page, does it count.
  db.exec('PRAGMA auto_vacuum = INCREMENTAL');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  db.exec(`PRAGMA journal_size_limit = ${WAL_BYTES}`);
  db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.exec('BEGIN IMMEDIATE');
  const version = pragmaNumber(db, 'user_version');
  if (version === 0) create(db, path);
  else if (pragmaNumber(db, 'application_id') !== APPLICATION_ID) throw foreign(path);
  else if (version > SCHEMA_VERSION) throw tooNew(version, path);
  else if (version < SCHEMA_VERSION) upgrade(db);
  db.exec('COMMIT');
  db.exec('PRAGMA busy_timeout = 0');
}

/** From version 1, which did not count failures. */
function upgrade(db: DatabaseSync): void {
  db.exec('ALTER TABLE messages ADD COLUMN failures INTEGER NOT NULL DEFAULT 0');
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
}

function create(db: DatabaseSync, path: string): void {
  if (db.prepare('SELECT 1 FROM sqlite_schema').get() !== undefined) throw foreign(path);
  db.exec(TABLES);
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
}

function foreign(path: string): IsyncError {
  return new IsyncError('STORE_FAILED', 'the queue file is a database of something else', {
    path,
    retryable: false,
    hint: 'Name another file for the queue.',
  });
}

function tooNew(version: number, path: string): IsyncError {
  const message = `the queue file is of a newer isync (version ${version}; this one knows ${SCHEMA_VERSION})`;
  return new IsyncError('STORE_FAILED', message, {
    path,
    retryable: false,
    hint: 'Update isync, or name another file for the queue.',
  });
}

function fenced(path: string, lockPath: string, cause: unknown): IsyncError {
  const pid = lockHolder(lockPath);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new IsyncError('FENCED', `${who} works on this queue already`, {
    path,
    cause,
    hint: 'One worker a file: stop it, or start this one to receive only (--role receive). Several workers share a queue of NATS or RabbitMQ.',
  });
}
