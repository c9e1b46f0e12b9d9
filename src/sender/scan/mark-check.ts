import { damageMessage, damageOf } from '../../model/damage.ts';
import { sameVersion, type FileEntry } from '../../model/file-entry.ts';
import type { Problem } from '../../model/problem.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { discrepancies } from './discrepancies.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

/** Directories of no more files are asked about without waiting for others: their answers take 200 KB each. */
const FEW_FILES = 1000;

export interface MarkCheckOptions {
  readonly rank: number;
  /** Marked ones of the directory, as it was listed. */
  readonly files: number;
  /** Whether the target's listing has the files' own mtimes; see TargetIdentity. */
  readonly listedMtime: boolean;
  /** Of the target. */
  readonly incarnation: string;
}

/**
 * Compares every marked file of `directory` with what the target holds: a mark is a hint, for `cp -p`, `tar -x`, a umask of
 * 002, an ACL or a rename set it as well as we do. What differs is sent; with `--marks trust` a file that the target
 * lacks, and that this scan has not sent, is a problem instead (MARK_UNKNOWN). Resolves to how many were sent, once the
 * target has answered for each.
 *
 * The question is one listing of the directory at the target, which takes about 200 bytes of memory a file meanwhile.
 */
export async function checkMarks(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  options: MarkCheckOptions,
): Promise<number> {
  const { questions } = context.limits;
  if (options.files <= FEW_FILES) return await sendDiscrepancies(context, directory, submissions, options);
  await questions.acquire(options.rank);
  try {
    return await sendDiscrepancies(context, directory, submissions, options);
  } finally {
    questions.release();
  }
}

async function sendDiscrepancies(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  options: MarkCheckOptions,
): Promise<number> {
  const { tally, options: settings } = context;
  const { proven } = submissions;
  const isProven = (file: ListedFile): boolean => proven.has(file, options.incarnation);
  let sent = 0;
  let lost = 0;
  const marksBefore = submissions.marks;
  using meanwhile = submissions.markedMeanwhile();
  for await (const { file, kept } of discrepancies(context, directory, {
    ...options,
    doubtful: true,
    isProven,
  })) {
    // What lands while the target answers may be younger than its answer.
    if (!submissions.isMarked(file) || meanwhile.has(file.entry.path)) continue;
    const sameSize = kept?.size === file.entry.size;
    const unlessKept = kept !== undefined && sameVersion(file.entry, kept);
    const wasKept = !sameSize && isProven(file);
    if (kept === undefined && settings.marks === 'trust' && !wasKept)
      tally.problem(directory, markUnknown(file));
    // The target would refuse it all the same.
    else if (kept !== undefined && isCutShort(file, kept) && !settings.target.traits.replaceDamaged)
      tally.problem(directory, sourceDamaged(file, kept));
    else {
      if (wasKept) lost++;
      if (!unlessKept) sent++;
      await submissions.submit(file, options.rank, { priority: 'backlog', unlessKept }, (kind) => {
        if (sameSize && kind === 'kept') proven.add(file, options.incarnation);
      });
    }
  }
  if (lost > 0) settings.log.warn(LOST, { path: directory, files: lost });
  await submissions.idle();
  return Math.max(sent, submissions.marks - marksBefore);
}

const LOST = 'files that the target had confirmed are gone there, or of another size: sent again';

function isCutShort({ entry }: ListedFile, kept: FileEntry): boolean {
  return damageOf(kept, entry, false) !== undefined;
}

function markUnknown({ entry: { path } }: ListedFile): Problem {
  return {
    path,
    code: 'MARK_UNKNOWN',
    message:
      'marked as transferred, but not at the target: take the mark off (chmod g-w), or use --marks verify',
  };
}

function sourceDamaged({ entry }: ListedFile, kept: FileEntry): Problem {
  return { path: entry.path, code: 'SOURCE_DAMAGED', message: damageMessage(kept, entry, 'shorter') };
}
