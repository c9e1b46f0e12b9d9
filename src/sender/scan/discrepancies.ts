import { sameVersion, type FileEntry } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../../scanner/listed-file.ts';
import type { ScanContext } from './scan-context.ts';

const SECOND_US = 1_000_000;

interface DiscrepancyOptions {
  readonly listedMtime: boolean;
  readonly doubtful?: boolean;
  readonly isProven?: (file: ListedFile) => boolean;
}

/** A file that the target lacks, or holds in another version. */
export interface Discrepancy {
  readonly file: ListedFile;
  /** Undefined where the target has nothing under that path. */
  readonly kept: FileEntry | undefined;
}

/**
 * Every file of `directory` that the target lacks, or holds in another version. With `doubtful` also those that seem to be
 * the same, but whose mtime is a whole second, as archives and coarse file systems have it: two versions may share it. Of
 * what `isProven`, only presence and size are compared.
 */
export async function* discrepancies(
  { options: { root, target }, ignore, stopping, cut }: ScanContext,
  directory: RelPath,
  { listedMtime, doubtful = false, isProven = () => false }: DiscrepancyOptions,
): AsyncGenerator<Discrepancy> {
  const isDoubtful = ({ entry }: ListedFile): boolean => doubtful && entry.mtimeUs % SECOND_US === 0;
  const listed = new Map<RelPath, FileEntry>();
  for await (const entry of target.list(directory, { signal: cut })) listed.set(entry.path, entry);
  for await (const batch of listDirectory(root, directory, { ignore, signal: stopping })) {
    const unsure: ListedFile[] = [];
    for (const file of filesOf(batch)) {
      const kept = listed.get(file.entry.path);
      if (kept === undefined || kept.size !== file.entry.size) yield { file, kept };
      else if (isProven(file)) continue;
      else if (!listedMtime) unsure.push(file);
      else if (isDoubtful(file) || !sameVersion(file.entry, kept)) yield { file, kept };
    }
    if (unsure.length === 0) continue;
    // The listing tells when these were kept, not when they were written.
    const records = await target.look(
      unsure.map((file) => file.entry.path),
      { signal: cut },
    );
    for (const [index, file] of unsure.entries()) {
      const kept = records[index]?.entry;
      if (kept === undefined || isDoubtful(file) || !sameVersion(file.entry, kept)) yield { file, kept };
    }
  }
}

function filesOf(batch: readonly Finding[]): ListedFile[] {
  return batch.flatMap((finding) => (finding.kind === 'file' ? [finding.file] : []));
}
