import { setImmediate } from 'node:timers/promises';
import type { FileRecord } from '../list/file-record.ts';
import type { OpenFolder } from './open-folder.ts';
import type { Tally } from './tally.ts';
import { writeError } from './write-error.ts';

/** Records after which other work gets its turn. */
const RECORDS_AT_ONCE = 256;

/** What both passes of a restore work on. */
export interface Members {
  readonly records: AsyncIterable<FileRecord>;
  readonly root: OpenFolder;
  readonly isSelected: (path: string) => boolean;
  readonly isResumed: boolean;
  readonly tally: Tally;
  readonly signal: AbortSignal | undefined;
}

/** The records that are to be restored, one at a time. Rejects as they do, and with the reason of the signal. */
export async function* selectedOf({ records, isSelected, signal }: Members): AsyncGenerator<FileRecord> {
  let seen = 0;
  for await (const record of records) {
    if (++seen % RECORDS_AT_ONCE === 0) {
      signal?.throwIfAborted();
      await setImmediate();
    }
    if (isSelected(record.path)) yield record;
  }
}

/**
 * Counts what went wrong with one member as a problem.
 * @throws IsyncError STORE_FULL: no other member would fare better
 */
export function noteProblem(tally: Tally, path: string, error: unknown): void {
  const told = writeError(error, path);
  if (told.code === 'STORE_FULL') throw told;
  tally.problem(path, told);
}
