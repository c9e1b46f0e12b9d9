import type { Abortable } from '../model/abortable.ts';
import { sameVersion, type FileEntry } from '../model/file-entry.ts';
import type { Target } from './target.ts';

/** Entries that one `look` asks for: several messages' worth, so that a far target's round trip weighs little. */
const ENTRIES_PER_LOOK = 2048;

/** Those of `entries` that the target lacks or holds in another version, in their order. */
export async function* missing(
  target: Target,
  entries: AsyncIterable<FileEntry>,
  options: Abortable = {},
): AsyncIterable<FileEntry> {
  let batch: FileEntry[] = [];
  for await (const entry of entries) {
    batch.push(entry);
    if (batch.length < ENTRIES_PER_LOOK) continue;
    yield* await missingOf(target, batch, options);
    batch = [];
  }
  if (batch.length > 0) yield* await missingOf(target, batch, options);
}

async function missingOf(
  target: Target,
  batch: readonly FileEntry[],
  options: Abortable,
): Promise<FileEntry[]> {
  const paths = batch.map((entry) => entry.path);
  const records = await target.look(paths, options);
  return batch.filter((entry, at) => {
    const record = records[at];
    return record === undefined || !sameVersion(record.entry, entry);
  });
}
