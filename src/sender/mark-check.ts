import { sameVersion, type FileEntry } from '../model/file-entry.ts';
import type { Problem } from '../model/problem.ts';
import type { RelPath } from '../model/rel-path.ts';
import { Fingerprint } from '../scanner/fingerprint.ts';
import { listDirectory } from '../scanner/list-directory.ts';
import type { Finding, ListedFile } from '../scanner/listed-file.ts';
import { addTo } from './directory-round.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';

export interface MarkCheckOptions {
  readonly rank: number;
  /** What was sent because of its time alone; see {@link SentForTime}. */
  readonly sentForTime: SentForTime;
  /** Whether the target's listing has the files' own mtimes; see TargetIdentity. */
  readonly listedMtime: boolean;
  /** Of the target. */
  readonly incarnation: string;
}

/**
 * Versions of files that one incarnation of the target has been sent because of their mtime alone. Not a second time: a
 * target may be unable to keep it (FAT rounds to 2 s).
 */
export class SentForTime {
  #incarnation: string | undefined;
  #versions = new Set<string>();

  /** Whether this version counts as sent already. From now on it does. */
  add(file: ListedFile, incarnation: string): boolean {
    if (this.#incarnation !== incarnation) this.#versions = new Set();
    this.#incarnation = incarnation;
    const print = new Fingerprint();
    addTo(print, file);
    const version = print.toString();
    const known = this.#versions.has(version);
    this.#versions.add(version);
    return known;
  }
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
  const { tally, options: settings } = context;
  let sent = 0;
  for await (const { file, kept } of discrepancies(context, directory, options)) {
    if (!submissions.isMarked(file)) continue;
    if (kept?.size === file.entry.size && options.sentForTime.add(file, options.incarnation)) continue;
    if (kept === undefined && settings.marks === 'trust') tally.problem(directory, markUnknown(file));
    else if (kept !== undefined && isCutShort(file, kept) && !settings.replaceDamaged)
      tally.problem(directory, sourceDamaged(file, kept));
    else {
      sent++;
      await submissions.submit(file, options.rank, { priority: 'backlog', unlessKept: false });
    }
  }
  await submissions.idle();
  return sent;
}

/** Every file of `directory` that the target lacks, or holds in another version. */
export async function* discrepancies(
  { options: { root, target }, ignore, stopping, cut }: ScanContext,
  directory: RelPath,
  { listedMtime }: Pick<MarkCheckOptions, 'listedMtime'>,
): AsyncGenerator<Discrepancy> {
  const listed = new Map<RelPath, FileEntry>();
  for await (const entry of target.list(directory, { signal: cut })) listed.set(entry.path, entry);
  for await (const batch of listDirectory(root, directory, { ignore, signal: stopping })) {
    const unsure: ListedFile[] = [];
    for (const file of filesOf(batch)) {
      const kept = listed.get(file.entry.path);
      if (kept === undefined || kept.size !== file.entry.size) yield { file, kept };
      else if (!listedMtime) unsure.push(file);
      else if (!sameVersion(file.entry, kept)) yield { file, kept };
    }
    if (unsure.length === 0) continue;
    // The listing tells when these were kept, not when they were written.
    const records = await target.look(
      unsure.map((file) => file.entry.path),
      { signal: cut },
    );
    for (const [index, file] of unsure.entries()) {
      const kept = records[index]?.entry;
      if (kept === undefined || !sameVersion(file.entry, kept)) yield { file, kept };
    }
  }
}

function filesOf(batch: readonly Finding[]): ListedFile[] {
  return batch.flatMap((finding) => (finding.kind === 'file' ? [finding.file] : []));
}

/** What a power cut leaves of a file whose times were on the disk before its content was. */
function isCutShort({ entry }: ListedFile, kept: FileEntry): boolean {
  return entry.size < kept.size && Math.abs(entry.mtimeUs - kept.mtimeUs) <= 1;
}

function markUnknown({ entry: { path } }: ListedFile): Problem {
  return {
    path,
    code: 'MARK_UNKNOWN',
    message:
      'marked as transferred, but not at the target: take the mark off (chmod g-w), or use --marks verify',
  };
}

function sourceDamaged({ entry: { path, size } }: ListedFile, kept: FileEntry): Problem {
  return {
    path,
    code: 'SOURCE_DAMAGED',
    message: `has ${size} bytes, where the target keeps ${kept.size} of the same time: it is not replaced unless with --replace-damaged`,
  };
}
