import { dirname } from 'node:path';
import { IsyncError } from '../../model/isync-error.ts';
import type { DataDirectories } from '../../scanner/list-data-directories.ts';
import type { ScanOptions } from './scan-options.ts';

/** Tells what is odd about the root itself: nothing to look after, or files where only directories belong. */
export class RootReport {
  readonly #options: ScanOptions;
  readonly #told = new Set<string>();
  #looks = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  /**
   * To be called after each listing of the root. Each thing is told once.
   * @throws IsyncError CONFIG_INVALID at the first call, where the root looks like a data directory itself: by a marker in
   *   it, or with `once` by files and no folder. Later it is told only, for a scan that works must go on.
   */
  looked(found: DataDirectories): void {
    const { root, tag, once } = this.#options;
    const { looseFiles, markers } = found;
    const isFirst = this.#looks++ === 0;
    const error = looksLikeData('scan', root, tag, found);
    if (error !== undefined) {
      if (isFirst && (markers || once)) throw error;
      this.#tell('data', `${error.message}. ${error.hint}`);
      return;
    }
    if (isEmpty(found)) this.#tell('empty', noneIn(root, tag));
    if (looseFiles > 0)
      this.#tell(
        'loose',
        looseFiles === 1
          ? '1 file lies in the root itself and is not sent; put it into a directory'
          : `${looseFiles} files lie in the root itself and are not sent; put them into a directory`,
      );
  }

  #tell(what: string, message: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.log.warn(message, { path: this.#options.root });
  }
}

/**
 * Refuses a root that looks like a data directory itself, for nothing in it would be compared.
 * @throws IsyncError CONFIG_INVALID
 */
export function checkRoot(root: string, tag: string, found: DataDirectories): void {
  const error = looksLikeData('verify', root, tag, found);
  if (error !== undefined) throw error;
}

/** Returns why a root looks like a data directory itself; undefined where it does not. */
function looksLikeData(
  command: 'scan' | 'verify',
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

function isEmpty({ directories, problems }: DataDirectories): boolean {
  return directories.length === 0 && problems.length === 0;
}

function noneIn(root: string, tag: string): string {
  return `no data directories in ${root}${tag === '' ? '' : ` whose names begin with ${tag}`}`;
}
