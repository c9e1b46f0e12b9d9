import type { IsyncError } from '../../model/isync-error.ts';
import { sqliteError } from '../../sqlite/sqlite.ts';

/** What to do with a state file that can't be used any more. */
export function moveAway(path: string): string {
  return `Move it away (mv ${path} ${path}.old, and ${path}-wal where there is one): isync makes a new one, which "isync pull --resync" fills by comparing.`;
}

/** `error` of SQLite as what callers of the state get; what is no error of SQLite is a fault of ours. */
export function stateError(error: unknown, path: string): IsyncError {
  return sqliteError(error, { path, name: 'state', whenDamaged: moveAway(path) });
}
