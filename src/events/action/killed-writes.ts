import { join } from 'node:path';
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
    if (!isAsWritten(object)) {
      await forget();
      continue;
    }
    await changed?.(join(object.folder, object.path));
    await Promise.all([state.set(object), forget()]);
  }
}
