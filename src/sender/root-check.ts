import { dirname } from 'node:path';
import { IsyncError } from '../model/isync-error.ts';
import type { DataDirectories } from '../scanner/list-data-directories.ts';

/**
 * Refuses a root that looks like a data directory itself, for nothing in it would be compared.
 * @throws IsyncError CONFIG_INVALID
 */
export function checkRoot(
  command: 'verify' | 'expire',
  root: string,
  tag: string,
  found: DataDirectories,
): void {
  const error = looksLikeData(command, root, tag, found);
  if (error !== undefined) throw error;
}

/** Returns why a root looks like a data directory itself; undefined where it does not. */
export function looksLikeData(
  command: 'scan' | 'verify' | 'expire',
  root: string,
  tag: string,
  found: DataDirectories,
): IsyncError | undefined {
  const { looseFiles, markers } = found;
  // With a tag there may be folders, of other names.
  if (!markers && !(isEmpty(found) && looseFiles > 0 && tag === '')) return undefined;
  const files = looseFiles === 1 ? '1 file' : `${looseFiles} files`;
  const what = markers
    ? `"${root}" holds finished.parse or finished.watch`
    : `${noneIn(root, tag)}; it holds ${files}`;
  return new IsyncError('CONFIG_INVALID', `${what}, so it looks like a data directory itself`, {
    path: root,
    hint: `Give its parent: isync ${command} ${dirname(root)}`,
  });
}

/** Whether a listing of the root has found neither a data directory nor why there is none. */
export function isEmpty({ directories, problems }: DataDirectories): boolean {
  return directories.length === 0 && problems.length === 0;
}

/** Says that the root has no data directories. */
export function noneIn(root: string, tag: string): string {
  return `no data directories in ${root}${tag === '' ? '' : ` whose names begin with ${tag}`}`;
}
