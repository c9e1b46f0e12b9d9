import type { Stats } from 'node:fs';
import type { FileIdentity } from '../model/file-identity.ts';
import { tickOf } from './clock-tick.ts';

/** Marks remembered twice over, some 50 bytes each: in all 6 MB. */
const MOST_OF_HALF = 65_536;

/**
 * Remembers the marks that were set here, so that a listing need not look at each of them twice (see look-at.ts). A look in the middle
 * of a write tells the ctime of that write. So a look that tells the very ctime of our mark is none of those, unless the write came in the
 * same tick of the clock; and a tick later no look tells half of that one any more.
 *
 * By inode, because to hash a path takes as long as the look that is saved. Beyond the bound the older half is forgotten.
 */
export class OwnMarks {
  #newer = new Map<number, number>();
  #older = new Map<number, number>();

  /** To be called right after the mark was set. One whose ctime is no time of this machine's clock (NFS) is not remembered. */
  add({ ino, ctimeMs }: FileIdentity): void {
    if (Date.now() - ctimeMs > tickOf(ctimeMs)) return;
    if (this.#newer.size >= MOST_OF_HALF) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(ino, ctimeMs);
  }

  /** Whether `stats` tells a mark that was set here, and nothing that happened since. */
  readonly has = ({ ino, ctimeMs }: Stats): boolean =>
    (this.#newer.get(ino) ?? this.#older.get(ino)) === ctimeMs && Date.now() - ctimeMs >= tickOf(ctimeMs);
}
