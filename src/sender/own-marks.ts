import { LRUCache } from 'lru-cache';
import type { FileIdentity } from '../scanner/listed-file.ts';

/** Files remembered; of more the oldest are forgotten. About 200 bytes each, so 3 MB. */
const MAX_OWN_MARKS = 16_384;

/**
 * Which versions of which files this scan has marked, wherever they are by now: a rename takes a mark along, and such a mark
 * says nothing about the new path.
 */
export class OwnMarks {
  readonly #versions = new LRUCache<string, string>({ max: MAX_OWN_MARKS });

  add(identity: FileIdentity): void {
    this.#versions.set(inodeOf(identity), versionOf(identity));
  }

  has(identity: FileIdentity): boolean {
    return this.#versions.get(inodeOf(identity)) === versionOf(identity);
  }
}

function inodeOf({ dev, ino }: FileIdentity): string {
  return `${dev} ${ino}`;
}

function versionOf({ size, mtimeMs }: FileIdentity): string {
  return `${size} ${mtimeMs}`;
}
