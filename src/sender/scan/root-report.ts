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
  looked({ directories, problems, looseFiles, markers }: DataDirectories): void {
    const { root, tag, once } = this.#options;
    const isFirst = this.#looks++ === 0;
    const isEmpty = directories.length === 0 && problems.length === 0;
    // With a tag there may be folders, of other names.
    const seemsData = markers || (isEmpty && looseFiles > 0 && tag === '');
    const one = looseFiles === 1;
    const files = one ? '1 file' : `${looseFiles} files`;
    if (seemsData) {
      const what = markers ? `"${root}" holds finished.parse or finished.watch` : noneIn(root, tag, files);
      const message = `${what}, so it looks like a data directory itself`;
      const hint = `Give its parent: isync scan ${dirname(root)}`;
      if (isFirst && (markers || once)) throw new IsyncError('CONFIG_INVALID', message, { path: root, hint });
      this.#tell('data', `${message}. ${hint}`);
    } else if (isEmpty) this.#tell('empty', noneIn(root, tag));
    if (looseFiles > 0 && !seemsData)
      this.#tell(
        'loose',
        one
          ? '1 file lies in the root itself and is not sent; put it into a directory'
          : `${files} lie in the root itself and are not sent; put them into a directory`,
      );
  }

  #tell(what: string, message: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.log.warn(message, { path: this.#options.root });
  }
}

function noneIn(root: string, tag: string, files?: string): string {
  const named = tag === '' ? '' : ` whose names begin with ${tag}`;
  return `no data directories in ${root}${named}${files === undefined ? '' : `; it holds ${files}`}`;
}

/**
 * Refuses a root that holds no directory and looks like a data directory itself: nothing in it would be compared.
 * @throws IsyncError CONFIG_INVALID
 */
export function checkRoot(root: string, { directories, looseFiles, markers }: DataDirectories): void {
  if (!markers && (directories.length > 0 || looseFiles === 0)) return;
  throw new IsyncError('CONFIG_INVALID', `"${root}" looks like a data directory itself`, {
    path: root,
    hint: `Give its parent: ${dirname(root)}`,
  });
}
