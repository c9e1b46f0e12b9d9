import type { PlacedFile } from './read-many.ts';

/** Bytes between two files that are rather fetched than asked for around: about what a link brings while a request is answered. */
const MAX_GAP_BYTES = 1024 * 1024;
/** Bytes that are fetched with one request, where no single file is longer: so that several requests share the work. */
const MAX_READ_BYTES = 64 * 1024 * 1024;

/** Files that are read with one request: see readMany. */
export interface PlannedRead<File extends PlacedFile> {
  readonly archive: number;
  readonly files: readonly File[];
}

/** The requests that it takes to read these files, none of which is empty. */
export function planReads<File extends PlacedFile>(files: readonly File[]): PlannedRead<File>[] {
  const sorted = files.toSorted(
    ({ record: { stored: a } }, { record: { stored: b } }) =>
      a.archive - b.archive || a.from - b.from || a.skip - b.skip,
  );
  const reads: { readonly archive: number; readonly from: number; to: number; readonly files: File[] }[] = [];
  for (const file of sorted) {
    const { archive, from, to } = file.record.stored;
    const last = reads.at(-1);
    if (
      last?.archive === archive &&
      from - last.to <= MAX_GAP_BYTES &&
      // What shares its first frame with the file before is never read apart from it.
      (to - last.from <= MAX_READ_BYTES || from < last.to)
    ) {
      last.files.push(file);
      last.to = Math.max(last.to, to);
    } else reads.push({ archive, from, to, files: [file] });
  }
  return reads;
}
