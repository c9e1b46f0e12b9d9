import { type Damage, damageMessage } from '../model/damage.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';

/** The refusals that all stores have in common. */

export function uploadEnded(file: FileEntry): IsyncError {
  return new IsyncError('INTERNAL', 'this upload has ended already', { path: file.path });
}

export function tooManyBytes(file: FileEntry): IsyncError {
  return new IsyncError('PROTOCOL', `more than the announced ${file.size} bytes arrived`, {
    path: file.path,
  });
}

export function uploadBusy(file: FileEntry): IsyncError {
  return new IsyncError('BUSY', 'this file is being uploaded already', { path: file.path });
}

export function storeClosed(): IsyncError {
  return new IsyncError('BUSY', 'the store is closed');
}

/** For the iteration of a version that is there no more. */
export function replaced(path: RelPath): IsyncError {
  const message = 'replaced, changed or removed while it was read';
  return new IsyncError('FILE_CHANGED', message, { path, retryable: true });
}

export function sourceDamaged(kept: FileEntry, file: FileEntry, damage: Damage): IsyncError {
  return new IsyncError('SOURCE_DAMAGED', damageMessage(kept, file, damage), { path: file.path });
}
