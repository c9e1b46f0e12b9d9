import { damageMessage, damageOf } from '../../model/damage.ts';
import { sameVersion, type FileEntry } from '../../model/file-entry.ts';
import type { Problem } from '../../model/problem.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../../scanner/listed-file.ts';
import { addTo } from './directory-round.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

const SECOND_US = 1_000_000;
/** Versions remembered as proven, a directory: about 30 bytes each. Of more, each check asks again. */
const MAX_PROVEN = 1_000_000;

export interface MarkCheckOptions {
  readonly rank: number;
  /** Versions that need not be looked at again. */
  readonly proven: Proven;
  /** Whether the target's listing has the files' own mtimes; see TargetIdentity. */
  readonly listedMtime: boolean;
  /** Of the target. */
  readonly incarnation: string;
}

/**
 * Versions of files that one incarnation of the target has for certain. They are not looked at again: a target may be unable
 * to keep an mtime (FAT rounds to 2 s).
 */
export class Proven {
  #incarnation: string | undefined;
  #versions = new Set<number>();

  has(file: ListedFile, incarnation: string): boolean {
    return this.#incarnation === incarnation && this.#versions.has(versionOf(file));
  }

  add(file: ListedFile, incarnation: string): void {
    if (this.#incarnation !== incarnation) this.#versions = new Set();
    this.#incarnation = incarnation;
    if (this.#versions.size < MAX_PROVEN) this.#versions.add(versionOf(file));
  }
}

/** 52 bits, which a number holds exactly: two versions share one by a chance of 2^-52. */
function versionOf(file: ListedFile): number {
  const print = new Fingerprint();
  addTo(print, file);
  return Number.parseInt(print.toString().slice(3), 16);
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
  const { questions } = context.limits;
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
  const marksBefore = submissions.marks;
  for await (const { file, kept } of discrepancies(context, directory, { ...options, doubtful: true })) {
    if (!submissions.isMarked(file)) continue;
    const sameSize = kept?.size === file.entry.size;
    if (sameSize && options.proven.has(file, options.incarnation)) continue;
    const unlessKept = kept !== undefined && sameVersion(file.entry, kept);
    if (kept === undefined && settings.marks === 'trust') tally.problem(directory, markUnknown(file));
    // The target would refuse it all the same.
    else if (kept !== undefined && isCutShort(file, kept) && !settings.replaceDamaged)
      tally.problem(directory, sourceDamaged(file, kept));
    else {
      if (!unlessKept) sent++;
      await submissions.submit(file, options.rank, { priority: 'backlog', unlessKept }, (kind) => {
        if (sameSize && (kind === 'marked' || kind === 'kept')) options.proven.add(file, options.incarnation);
      });
    }
  }
  await submissions.idle();
  return Math.max(sent, submissions.marks - marksBefore);
}

/**
 * Every file of `directory` that the target lacks, or holds in another version. With `doubtful` also those that seem to be
 * the same, but whose mtime is a whole second, as archives and coarse file systems have it: two versions may share it.
 */
export async function* discrepancies(
  { options: { root, target }, ignore, stopping, cut }: ScanContext,
  directory: RelPath,
  { listedMtime, doubtful = false }: { readonly listedMtime: boolean; readonly doubtful?: boolean },
): AsyncGenerator<Discrepancy> {
  const isDoubtful = ({ entry }: ListedFile): boolean => doubtful && entry.mtimeUs % SECOND_US === 0;
  const listed = new Map<RelPath, FileEntry>();
  for await (const entry of target.list(directory, { signal: cut })) listed.set(entry.path, entry);
  for await (const batch of listDirectory(root, directory, { ignore, signal: stopping })) {
    const unsure: ListedFile[] = [];
    for (const file of filesOf(batch)) {
      const kept = listed.get(file.entry.path);
      if (kept === undefined || kept.size !== file.entry.size) yield { file, kept };
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
