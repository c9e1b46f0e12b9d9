import type { DatabaseSync, DatabaseSyncOptions } from 'node:sqlite';
import { IsyncError } from '../model/isync-error.ts';

/**
 * Opens a database with node:sqlite. Node 22 warns that this is experimental, which is no news to a user of isync; all other
 * warnings are shown.
 */
export async function openSqlite(path: string, options: DatabaseSyncOptions): Promise<DatabaseSync> {
  loading ??= withoutSqliteWarning(async () => (await import('node:sqlite')).DatabaseSync);
  const Database = await loading;
  return new Database(path, options);
}

/** Once a process: to keep a warning back is done in a place that all share. */
let loading: Promise<typeof DatabaseSync> | undefined;

/** Runs `load`, and keeps the one warning back that is about SQLite being experimental. */
export async function withoutSqliteWarning<T>(load: () => Promise<T>): Promise<T> {
  const before: unknown = Reflect.get(process, 'emitWarning');
  process.emitWarning = new Proxy(process.emitWarning.bind(process), {
    apply(target, self, args: readonly unknown[]) {
      if (!isSqliteWarning(args)) Reflect.apply(target, self, args);
    },
  });
  try {
    return await load();
  } finally {
    Reflect.set(process, 'emitWarning', before);
  }
}

function isSqliteWarning([warning, type]: readonly unknown[]): boolean {
  return type === 'ExperimentalWarning' && typeof warning === 'string' && warning.startsWith('SQLite ');
}

/** Primary result codes: https://sqlite.org/rescode.html */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const FULL = 13;
const NOT_A_DATABASE = 26;
/** Those that tell of the disk or of permissions: PERM, READONLY, IOERR, CANTOPEN. */
const OF_THE_DISK: ReadonlySet<number> = new Set([3, 8, 10, 14]);
/** What an extended result code has beside the primary one. */
const PRIMARY_BITS = 0xff;

/** Whether another process, or another connection of this one, has the file. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === BUSY || code === LOCKED;
}

/** A database file, in the words of its errors. */
export interface DatabaseWords {
  readonly path: string;
  /** "state", "queue". */
  readonly name: string;
  /** What to do once it can't be used any more. */
  readonly whenDamaged: string;
}

/** `error` of SQLite as an IsyncError: STORE_FULL, STORE_FAILED, and INTERNAL for what is no error of SQLite. */
export function sqliteError(error: unknown, { path, name, whenDamaged }: DatabaseWords): IsyncError {
  if (error instanceof IsyncError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const details = { path, cause: error };
  const code = primaryCode(error);
  if (code === FULL)
    return new IsyncError('STORE_FULL', `the disk of the ${name} is full (${text})`, {
      ...details,
      hint: 'Free some space; it goes on by itself.',
    });
  if (code === CORRUPT || code === NOT_A_DATABASE)
    return new IsyncError('STORE_FAILED', `the ${name} file is damaged (${text})`, {
      ...details,
      retryable: false,
      hint: whenDamaged,
    });
  if (code !== undefined && OF_THE_DISK.has(code))
    return new IsyncError('STORE_FAILED', `the ${name} can't be read or written (${text})`, {
      ...details,
      hint: 'Check the disk, and that the user isync runs as may write the file and its folder.',
    });
  return new IsyncError('INTERNAL', `the ${name}: ${text}`, details);
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & PRIMARY_BITS : undefined;
}

/** The number that `PRAGMA name` tells. */
export function pragmaNumber(db: DatabaseSync, name: string): number {
  const value = Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  return typeof value === 'number' ? value : 0;
}
