import { damageMessage, damageOf } from '../model/damage.ts';
import { sameVersion, type FileEntry } from '../model/file-entry.ts';
import type { Problem } from '../model/problem.ts';
import type { RelPath } from '../model/rel-path.ts';
import { listDirectory } from '../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../scanner/listed-file.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

export interface MarkCheckOptions {
  readonly rank: number;
  readonly keptTimes: KeptTimes;
  /** Whether the target's listing has the files' own mtimes; see TargetIdentity. */
  readonly listedMtime: boolean;
}

/** A marked file that the target lacks, or holds in another version. */
export interface Discrepancy {
  readonly file: ListedFile;
  /** Undefined where the target has nothing under that path. */
  readonly kept: FileEntry | undefined;
}

/**
 * Compares every marked file of `directory` with what the target holds: a mark is a hint, for `cp -p`, `tar -x`, a umask of
 * 002, an ACL or a rename set it as well as we do. What differs is sent; with `--marks trust` a file that the target
 * lacks is a problem instead (MARK_UNKNOWN). Resolves to how many were sent; those have settled then.
 *
 * The question is one listing of the directory at the target, which takes about 200 bytes of memory a file meanwhile.
 */
export async function checkMarks(
  context: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  options: MarkCheckOptions,
): Promise<number> {
  const { questions } = context;
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
  let sent = 0;
  for await (const { file, kept } of discrepancies(context, directory, options)) {
    if (!submissions.isMarked(file)) continue;
    if (kept === undefined && settings.marks === 'trust') tally.problem(directory, markUnknown(file));
    // The target would refuse it all the same.
    else if (kept !== undefined && isCutShort(file, kept) && !settings.replaceDamaged)
      tally.problem(directory, sourceDamaged(file, kept));
    else {
      sent++;
      await submissions.submit(file, options.rank, { priority: 'backlog', unlessKept: false });
    }
  }
  await submissions.idle();
  options.keptTimes.sent(tally.problemsOf(directory) === 0);
  return sent;
}

/** What FAT rounds times to, in µs: the coarsest of the file systems that people keep files on. */
const COARSE_US = 2_000_000;

/** Learns whether a target keeps the times of files to the microsecond; one that does not would never hold an equal file. */
export class KeptTimes {
  #sample: FileEntry | undefined;
  #sent = false;
  #isCoarse = false;

  /** Whether `kept`, a file of the same size, is another version than `entry`. */
  differ(entry: FileEntry, kept: FileEntry): boolean {
    if (sameVersion(entry, kept)) return false;
    if (Math.abs(entry.mtimeUs - kept.mtimeUs) > COARSE_US) return true;
    if (this.#sent && this.#sample?.path === entry.path && this.#sample.mtimeUs === entry.mtimeUs)
      this.#isCoarse = true;
    this.#sample ??= entry;
    return !this.#isCoarse;
  }

  /** What differed has been sent; `confirmed`: without a problem, so that a difference that stays is the target's. */
  sent(confirmed: boolean): void {
    this.#sent = confirmed && this.#sample !== undefined;
    if (!confirmed) this.#sample = undefined;
  }
}

/** Every file of `directory` that the target lacks, or holds in another version. */
export async function* discrepancies(
  { options: { root, target }, ignore, stopping, cut }: ScanContext,
  directory: RelPath,
  { keptTimes, listedMtime }: Omit<MarkCheckOptions, 'rank'>,
): AsyncGenerator<Discrepancy> {
  const listed = new Map<RelPath, FileEntry>();
  for await (const entry of target.list(directory, { signal: cut })) listed.set(entry.path, entry);
  for await (const batch of listDirectory(root, directory, { ignore, signal: stopping })) {
    const unsure: ListedFile[] = [];
    for (const file of filesOf(batch)) {
      const kept = listed.get(file.entry.path);
      if (kept === undefined || kept.size !== file.entry.size) yield { file, kept };
      else if (!listedMtime) unsure.push(file);
      else if (keptTimes.differ(file.entry, kept)) yield { file, kept };
    }
    if (unsure.length === 0) continue;
    // The listing tells when these were kept, not when they were written.
    const records = await target.look(
      unsure.map((file) => file.entry.path),
      { signal: cut },
    );
    for (const [index, file] of unsure.entries()) {
      const kept = records[index]?.entry;
      if (kept === undefined || kept.size !== file.entry.size || keptTimes.differ(file.entry, kept))
        yield { file, kept };
    }
  }
}

function filesOf(batch: readonly Finding[]): ListedFile[] {
  return batch.flatMap((finding) => (finding.kind === 'file' ? [finding.file] : []));
}

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
