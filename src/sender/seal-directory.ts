import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { IsyncError } from '../model/isync-error.ts';
import { PARSE_MARKER } from '../model/markers.ts';
import { joinRelPath, type RelPath } from '../model/rel-path.ts';
import { sameIdentity } from '../scanner/file-identity.ts';
import { inspectFile } from '../scanner/inspect-file.ts';
import type { ListedFile } from '../scanner/listed-file.ts';
import { writeWatchMarker } from '../scanner/markers.ts';
import { makeDurable } from './durable-source.ts';
import type { ScanContext } from './scan-context.ts';
import { createSourceFile } from './source-file.ts';

interface SealOptions {
  /** Whether there is a marker of the parser to publish. */
  readonly closed: boolean;
  /** Whether the directory still is as it was when all of it was durable. */
  readonly isUnchanged: () => Promise<boolean>;
}

/**
 * The last step of a directory: its files are all durable. Publishes the parser's marker, makes the directory durable at the
 * target, then writes ours. Returns false when the directory has changed meanwhile, so that it must be listed again.
 */
export async function sealDirectory(
  context: ScanContext,
  directory: RelPath,
  options: SealOptions,
): Promise<boolean> {
  const { root, target, newest } = context.options;
  const parsed = options.closed ? parseMarkerOf(root, directory) : undefined;
  const marker = parsed && createSourceFile(root, parsed);
  if (parsed) await makeDurable(root, parsed.entry.path, 'live');
  await target.seal(directory, marker, { signal: context.cut });
  // What came or was written since, against the parser's word or during hours without a link, must still not be lost.
  if (!(await options.isUnchanged())) return false;
  // The parser may make its marker first and fill it then.
  if (parsed && !sameIdentity(parseMarkerOf(root, directory).identity, parsed.identity)) return false;
  await writeWatchMarker(root, directory, { keepMtime: newest === 'mtime' });
  return true;
}

/** The data directory's own mtime in ms; undefined when it is gone. */
export function mtimeOf(root: string, directory: RelPath): number | undefined {
  return lstatSync(join(root, directory), { throwIfNoEntry: false })?.mtimeMs;
}

function parseMarkerOf(root: string, directory: RelPath): ListedFile {
  const path = joinRelPath(directory, PARSE_MARKER);
  const finding = inspectFile(root, path);
  if (finding?.kind === 'file') return finding.file;
  if (finding !== undefined) throw new IsyncError(finding.problem.code, finding.problem.message, { path });
  throw new IsyncError('FILE_CHANGED', `${PARSE_MARKER} is gone`, { path });
}
