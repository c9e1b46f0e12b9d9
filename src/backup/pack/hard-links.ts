import type { BigIntStats } from 'node:fs';
import type { Log } from '../../model/log.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { MemberPath } from '../list/member-path.ts';

/**
 * Files that are remembered until all their names have come: about 60 MB. One whose other names lie outside of the sources stays. Of those beyond,
 * each name is packed as a file of its own: all content is kept, and that they are one file is not.
 */
const MAX_LINKED = 100_000;

/** Files that have several names, by device and inode. */
export class HardLinks {
  readonly #first = new Map<string, { readonly record: RegularRecord; left: number }>();
  readonly #log: Log;
  readonly #most: number;
  #isToldFull = false;

  constructor(log: Log, most = MAX_LINKED) {
    this.#log = log;
    this.#most = most;
  }

  /** The record of one more name of a file whose first name has come; undefined where it has not, or has been written to since. */
  find(path: MemberPath, stats: BigIntStats): RegularRecord | undefined {
    if (stats.nlink === 1n) return undefined;
    const key = identity(stats);
    const first = this.#first.get(key);
    if (first === undefined) return undefined;
    const { record } = first;
    // It may also be another file, that got the inode of the first.
    if (BigInt(record.size) !== stats.size || record.mtimeNs !== stats.mtimeNs) return undefined;
    first.left--;
    if (first.left === 0) this.#first.delete(key);
    return { ...record, path, linkTo: record.path };
  }

  remember(record: RegularRecord, stats: BigIntStats): void {
    if (stats.nlink === 1n) return;
    const key = identity(stats);
    if (this.#first.size < this.#most || this.#first.has(key)) {
      this.#first.set(key, { record, left: Number(stats.nlink) - 1 });
      return;
    }
    if (this.#isToldFull) return;
    this.#isToldFull = true;
    this.#log.warn('too many files with several names: of some, each name is packed as a file of its own', {
      path: record.path,
      most: this.#most,
    });
  }
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
