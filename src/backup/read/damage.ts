import type { ErrorCode } from '../../model/isync-error.ts';
import { IsyncError } from '../../model/isync-error.ts';

/** What says that stored bytes are gone or wrong: of the object or the file, not of the store or of this machine. */
const DAMAGE: ReadonlySet<ErrorCode> = new Set([
  'BACKUP_DAMAGED',
  'DIGEST_MISMATCH',
  'FILE_CHANGED',
  'MISSING',
]);

export function isDamage(error: unknown): error is IsyncError {
  return error instanceof IsyncError && DAMAGE.has(error.code);
}

/** @param key of the object */
export function damagedObject(key: string, why: string, cause?: unknown): IsyncError {
  return new IsyncError('BACKUP_DAMAGED', why, { path: key, cause });
}
