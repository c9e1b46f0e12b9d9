import type { Stats } from 'node:fs';
import type { RelPath } from '../model/rel-path.ts';
import { failedFinding, findingOf } from './finding.ts';
import type { Finding } from './listed-file.ts';
import { lookAt } from './look-at.ts';

/**
 * Looks at one path, for callers that an event has told of it. Returns undefined where nothing is there (any more) and for a
 * folder. Markers and ignored files are looked at like any other.
 *
 * A symlink at `path` is a problem; symlinks above it are not looked for, so the path must come from a listing or a
 * watch, neither of which follows them.
 */
export function inspectFile(root: string, path: RelPath): Finding | undefined {
  let stats: Stats | undefined;
  try {
    stats = lookAt(`${root}/${path}`);
  } catch (error) {
    return failedFinding(path, error);
  }
  if (stats === undefined || stats.isDirectory()) return undefined;
  return findingOf(path, stats);
}
