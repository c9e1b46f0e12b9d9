import { join } from 'node:path';
import { sameVersion } from '../../../model/file-entry.ts';
import type { KnownObject } from '../../state/pull-state.ts';
import type { ActionOptions } from './actions.ts';
import { isAsWritten } from './local-file.ts';
import type { MappedFolders } from './mapped-folders.ts';

/**
 * Finds out which of the files that a killed process was about to write it did write: those are known from now on, as if it had
 * lived a moment longer. Call it before anything else is done.
 */
export async function settleKilledWrites(
  { state, changed, dryRun = false }: ActionOptions,
  { all }: MappedFolders,
): Promise<void> {
  if (dryRun) return;
  const roots = new Set(all.map(({ root }) => root));
  for (const object of state.pending()) {
    // What is mapped no longer may be mapped again, or lie on a disk that is away.
    if (!roots.has(object.folder)) continue;
    const forget = (): Promise<void> => state.removePending(object.bucket, object.key);
    if (!isAsWritten(object) || isUnclear(object, state.get(object.bucket, object.key))) {
      await forget();
      continue;
    }
    await changed?.(join(object.folder, object.path));
    await Promise.all([state.set(object), forget()]);
  }
}

/**
 * Whether the file may as well be the version before: S3 tells times in whole seconds. Then it stays known as that one, so that the
 * bucket is asked, whose answer replaces it.
 */
function isUnclear(object: KnownObject, before: KnownObject | undefined): boolean {
  if (before === undefined || before.etag === object.etag) return false;
  return before.folder === object.folder && before.path === object.path && sameVersion(before, object);
}
