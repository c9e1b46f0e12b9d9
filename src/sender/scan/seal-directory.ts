import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { sameIdentity } from '../../model/file-identity.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { PARSE_MARKER } from '../../model/markers.ts';
import { joinRelPath, type RelPath } from '../../model/rel-path.ts';
import { Fingerprint } from '../../scanner/fingerprint.ts';
import { inspectFile } from '../../scanner/inspect-file.ts';
import { inspectDataDirectory } from '../../scanner/list-data-directories.ts';
import { listDirectory } from '../../scanner/list-directory.ts';
import type { ListedFile } from '../../scanner/listed-file.ts';
import { makeDurable } from '../durable-source.ts';
import { draftWatchMarker, removeWatchMarker } from '../../scanner/markers.ts';
import type { OpenFiles } from '../../scanner/open-files.ts';
import type { SealRecord } from '../../scanner/seal-record.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';
import { createSourceFile } from '../source-file.ts';
import type { TargetIdentity } from '../target.ts';

interface SealOptions {
  /** Whether there is a marker of the parser to publish. */
  readonly closed: boolean;
  /** What lstat(2) said of the directory before its files were listed. */
  readonly stats: Stats;
  /** Who holds all that was listed. */
  readonly target: TargetIdentity;
  /** What was listed. */
  readonly files: number;
  readonly bytes: number;
  readonly fingerprint: string;
  /** Lists again: whether the directory still is as it was when all of it was durable. */
  readonly isUnchanged: () => Promise<boolean>;
}

/**
 * The last step of a directory: its files are all durable. Publishes the parser's marker, makes the directory durable at the
 * target, then writes ours. Returns false when the directory or the target has changed meanwhile, so that it must be
 * listed again.
 */
export async function sealDirectory(
  context: ScanContext,
  directory: RelPath,
  options: SealOptions,
): Promise<boolean> {
  const { root, target, newest } = context.options;
  const { stats } = options;
  const parsed = options.closed ? parseMarkerOf(root, directory) : undefined;
  const marker = parsed && createSourceFile(root, parsed);
  if (parsed) await makeDurable(root, parsed.entry.path, 'live');
  await target.seal(directory, marker, { signal: context.cut });
  // A store that was exchanged in the meantime lacks what the one before had confirmed.
  const now = await target.identify({ signal: context.cut });
  if (now.incarnation !== options.target.incarnation) return false;
  if (statsOf(root, directory)?.mtimeMs !== stats.mtimeMs) return false;
  const record = recordOf(directory, target.traits.device, options);
  await using draft = await draftWatchMarker(root, directory, record, {
    device: stats.dev,
    inode: stats.ino,
    keepMtime: newest === 'mtime',
  });
  // What came or was written since, against the parser's word or during hours without a link, must still not be lost.
  if (!(await options.isUnchanged())) return false;
  // The parser may make its marker first and fill it then.
  if (!isSameMarker(root, parsed)) return false;
  if (!(await draft.isUndisturbed())) return false;
  context.options.observer.sealing?.(directory);
  return await isStillSealed(root, directory, await draft.publish(), parsed);
}

/**
 * Lists `directory` once more: whether it holds nothing but the marked files of `markedPrint`, and none that `writers` has.
 */
export async function holdsJust(
  { options: { root }, ignore, ownMarks, stopping }: ScanContext,
  directory: RelPath,
  submissions: Submissions,
  { markedPrint, writers }: { readonly markedPrint: string; readonly writers: OpenFiles },
): Promise<boolean> {
  const print = new Fingerprint();
  for await (const batch of listDirectory(root, directory, { ignore, ownMarks, signal: stopping }))
    for (const finding of batch) {
      if (finding.kind === 'problem' || !submissions.isMarked(finding.file)) return false;
      if (writers.has(finding.file.identity)) return false;
      print.addFile(finding.file);
    }
  return print.toString() === markedPrint;
}

/** What lstat(2) says of the data directory; undefined when it is gone. */
export function statsOf(root: string, directory: RelPath): Stats | undefined {
  return lstatSync(join(root, directory), { throwIfNoEntry: false });
}

/** What came in, or was written into the parser's marker, while ours was given its name opens the directory again. */
async function isStillSealed(
  root: string,
  directory: RelPath,
  mtimeMs: number,
  parsed: ListedFile | undefined,
): Promise<boolean> {
  const found = inspectDataDirectory(root, directory);
  if (found === undefined || (found.mtimeMs === mtimeMs && isSameMarker(root, parsed))) return true;
  await removeWatchMarker(root, directory);
  return false;
}

function recordOf(
  directory: RelPath,
  sentAs: string,
  { closed, stats, target, files, bytes, fingerprint }: SealOptions,
): Omit<SealRecord, 'store'> & { store: string | null } {
  return {
    finished: new Date().toISOString(),
    directory,
    device: stats.dev,
    inode: stats.ino,
    born: stats.birthtimeMs,
    store: target.store ?? null,
    sentAs,
    closed,
    files,
    bytes,
    fingerprint,
  };
}

/** Whether the parser's marker, where there is one, is the very version that was published. */
function isSameMarker(root: string, parsed: ListedFile | undefined): boolean {
  if (parsed === undefined) return true;
  const finding = inspectFile(root, parsed.entry.path);
  return finding?.kind === 'file' && sameIdentity(finding.file.identity, parsed.identity);
}

function parseMarkerOf(root: string, directory: RelPath): ListedFile {
  const path = joinRelPath(directory, PARSE_MARKER);
  const finding = inspectFile(root, path);
  if (finding?.kind === 'file') return finding.file;
  if (finding !== undefined) throw new IsyncError(finding.problem.code, finding.problem.message, { path });
  throw new IsyncError('FILE_CHANGED', `${PARSE_MARKER} is gone`, { path });
}
