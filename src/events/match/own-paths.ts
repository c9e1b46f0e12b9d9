import { join } from 'node:path';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import type { RelPath } from '../../model/rel-path.ts';

/** The paths below mapped folders that isync has for itself: it keeps what is its own in each, and one may lie inside another. */
export class OwnPaths {
  /** As {@link folderId} writes them. */
  readonly #folders = new Set<string>();

  /** @param folder the real path of a mapped folder */
  add(folder: string): void {
    this.#folders.add(folderId(folder));
  }

  /** @param folder as {@link add} has it */
  has(folder: string, path: RelPath): boolean {
    if (!path.toLowerCase().includes(OWN_FOLDER)) return false;
    const segments = path.split('/');
    return segments.some(
      (segment, index) =>
        segment.toLowerCase() === OWN_FOLDER &&
        this.#folders.has(folderId(join(folder, ...segments.slice(0, index)))),
    );
  }
}

/** Not every file system tells upper from lower case. */
function folderId(folder: string): string {
  return join(folder, '.').toLowerCase();
}
