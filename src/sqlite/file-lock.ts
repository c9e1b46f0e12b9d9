import type { DatabaseSync } from 'node:sqlite';
import { createFile } from './create-file.ts';
import { isBusy, openSqlite, sqliteError } from './sqlite.ts';

/**
 * Locks a file, which is made where it is missing, until the lock is disposed of or the process ends, however it does: an
 * exclusive transaction of SQLite, which is a lock of the kernel. Keeps out whoever else asks, in this process too. Undefined where
 * another one has it.
 * @throws IsyncError STORE_FULL, STORE_FAILED
 */
export async function tryFileLock(path: string): Promise<Disposable | undefined> {
  await createFile(path, 'lock');
  let db: DatabaseSync | undefined;
  try {
    db = await openSqlite(path, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    if (isBusy(error)) return undefined;
    throw sqliteError(error, { path, name: 'lock', whenDamaged: `Remove it: rm ${path}` });
  }
  const held = db;
  return { [Symbol.dispose]: () => held.isOpen && held.close() };
}
