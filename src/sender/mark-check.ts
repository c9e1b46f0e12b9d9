import { sameVersion } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';
import { listDirectory } from '../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../scanner/listed-file.ts';
import { UnknownMarks } from './moved-marks.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';
import type { TargetRecord } from './target.ts';

/** Log lines about marked files that the target does not know, a directory; the rest is counted. */
const MAX_UNKNOWN_TOLD = 10;

export interface MarkCheckOptions {
  readonly rank: number;
  /** Whether a different mtime alone makes a file differ. Off for targets that can't keep it (FAT rounds to 2 s). */
  readonly compareTimes: boolean;
  /** Since when (ms) the directory is watched: from then on no mark is the user's word. Infinity: it never was. */
  readonly watchedSinceMs: number;
}

/**
 * Asks the target about every marked file of `directory`, before its seal. A file that the target holds in another
 * version was written to after it was sent: it goes again. One that it does not hold at all is the mark's word against the
 * target's: `--marks verify` sends it, `--marks trust` reports it, unless the mark came along when the file was moved or
 * copied (see {@link UnknownMarks}), or while the directory was watched: then an event has told of it as of any file, which
 * may not have settled before the directory was closed. Returns how many were sent and how many are unknown.
 */
export async function checkMarks(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  options: MarkCheckOptions,
): Promise<{ sent: number; unknown: number }> {
  const { root, target, marks } = context.options;
  const unknownMarks = new UnknownMarks();
  let sent = 0;
  const send = async (file: ListedFile): Promise<void> => {
    sent++;
    await submissions.submit(file, options.rank, { priority: 'backlog', unlessKept: false });
  };
  for await (const batch of listDirectory(root, directory, {
    ignore: context.ignore,
    signal: context.stopping,
  })) {
    const files = filesOf(batch);
    const records = await target.look(
      files.map((file) => file.entry.path),
      { signal: context.cut },
    );
    for (const [index, file] of files.entries()) {
      const record = records[index];
      const early = file.identity.ctimeMs < options.watchedSinceMs;
      const trusted = marks === 'trust' && early && !context.ownMarks.has(file.identity);
      if (record === undefined && trusted && unknownMarks.add(file)) continue;
      if (record === undefined || differs(file, record, options.compareTimes)) await send(file);
    }
  }
  const { moved, unknown } = await unknownMarks.part(context, directory);
  for (const file of moved) await send(file);
  for (const file of unknown.slice(0, MAX_UNKNOWN_TOLD)) tellUnknown(context, file);
  await submissions.idle();
  return { sent, unknown: unknown.length };
}

function filesOf(batch: readonly Finding[]): ListedFile[] {
  return batch.flatMap((finding) => (finding.kind === 'file' ? [finding.file] : []));
}

function differs(file: ListedFile, record: TargetRecord, compareTimes: boolean): boolean {
  if (compareTimes) return !sameVersion(file.entry, record.entry);
  return file.entry.size !== record.entry.size;
}

function tellUnknown(context: ScanContext, file: ListedFile): void {
  context.options.observer.note('warn', 'marked but unknown to the target', { path: file.entry.path });
}
