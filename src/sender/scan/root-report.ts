import type { DataDirectories } from '../../scanner/list-data-directories.ts';
import { isEmpty, looksLikeData, noneIn } from '../root-check.ts';
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
