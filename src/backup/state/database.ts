import { dirname } from 'node:path';
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { IsyncError } from '../../model/isync-error.ts';
import { createFile } from '../../sqlite/create-file.ts';
import { openSqlite, pragmaNumber, sqliteError } from '../../sqlite/sqlite.ts';
import { ensureFolder } from '../../sqlite/state-folder.ts';

/** Told by `PRAGMA application_id`, so that file(1) and we know the file: "isyb". */
const APPLICATION_ID = 0x69_73_79_62;
/** Of the tables below, as `PRAGMA user_version`. A file of a newer one is left alone. */
const SCHEMA_VERSION = 1;
/** A status that reads while a run writes waits this long at most, in ms. */
const BUSY_MS = 10_000;

const TABLES = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    jobId TEXT NOT NULL,
    highestVersion INTEGER NOT NULL,
    agreedVersion INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    startedMs INTEGER NOT NULL,
    endedMs INTEGER,
    type TEXT NOT NULL,
    trigger TEXT NOT NULL,
    stage TEXT NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    problems INTEGER NOT NULL,
    backups TEXT NOT NULL,
    error TEXT
  ) STRICT;
  CREATE TABLE packs (
    version INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    base INTEGER,
    startedMs INTEGER NOT NULL,
    partBytes INTEGER NOT NULL,
    header BLOB,
    fileKey BLOB,
    nonce BLOB,
    size INTEGER,
    sha256 TEXT,
    isOverflowed INTEGER NOT NULL,
    targets TEXT NOT NULL
  ) STRICT;
  CREATE TABLE uploads (
    target TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (target, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE parts (
    target TEXT NOT NULL,
    version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    status TEXT NOT NULL,
    etag TEXT,
    changedMs INTEGER NOT NULL,
    PRIMARY KEY (target, version, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE digests (
    version INTEGER NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, PRIMARY KEY (version, number)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE manifests (
    target TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (target, key)
  ) STRICT;
  CREATE TABLE verifications (
    target TEXT NOT NULL,
    version INTEGER NOT NULL,
    atMs INTEGER NOT NULL,
    depth TEXT NOT NULL,
    fault TEXT,
    readTo INTEGER NOT NULL,
    PRIMARY KEY (target, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE removals (target TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (target, key)) STRICT, WITHOUT ROWID;
`;

/** Came later: a file may have been made without them, and an older isync leaves them alone. */
const ADDED_TABLES = `
  CREATE TABLE IF NOT EXISTS agreements (target TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS locks (
    target TEXT NOT NULL, key TEXT NOT NULL, untilMs INTEGER NOT NULL, PRIMARY KEY (target, key)
  ) STRICT, WITHOUT ROWID;
`;

/** Opens the database of a job, and makes it, with its folder, where it is missing. Several processes may have it open. */
export async function openDatabase(path: string, jobId: string): Promise<DatabaseSync> {
  await ensureFolder(dirname(path));
  await createFile(path, 'state');
  let db: DatabaseSync | undefined;
  try {
    db = await openSqlite(path, { timeout: BUSY_MS });
    prepare(db, path, jobId);
    return db;
  } catch (error) {
    db?.close();
    throw stateError(error, path);
  }
}

/** `error` of SQLite as what callers of the state get. */
export function stateError(error: unknown, path: string): IsyncError {
  const whenDamaged = `Move it away (mv ${path} ${path}.old, and ${path}-wal where there is one): the next backup is a full one, of a job that "isync backup run --adopt" takes over.`;
  return sqliteError(error, { path, name: 'state', whenDamaged });
}

function prepare(db: DatabaseSync, path: string, jobId: string): void {
  if (statSync(path).size > 0) check(db, path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  // The key of an archive is to be gone with its row.
  db.exec('PRAGMA secure_delete = ON');
  db.exec('BEGIN IMMEDIATE');
  if (pragmaNumber(db, 'user_version') === 0) {
    db.exec(TABLES);
    db.prepare('INSERT INTO meta VALUES (1, ?, 0, 0)').run(jobId);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  db.exec(ADDED_TABLES);
  db.exec('COMMIT');
}

function check(db: DatabaseSync, path: string): void {
  const version = pragmaNumber(db, 'user_version');
  // A process that was killed as it made the file has left one without anything in it.
  const isBlank = version === 0 && db.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
  if (!isBlank && pragmaNumber(db, 'application_id') !== APPLICATION_ID)
    throw new IsyncError('STORE_FAILED', 'the state file is a database of another program', {
      path,
      retryable: false,
      hint: 'Choose another folder with "stateDir".',
    });
  if (version > SCHEMA_VERSION)
    throw new IsyncError(
      'STORE_FAILED',
      `the state file is of a newer isync (version ${version}; this one knows ${SCHEMA_VERSION})`,
      { path, retryable: false, hint: 'Update isync.' },
    );
}
