import type { FileEntry } from '../model/file-entry.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { ListedFile } from '../scanner/listed-file.ts';
import type { ScanContext } from './scan-context.ts';

/** Files compared, a directory: about 300 bytes each. Past it the rest is sent, which costs the link only. */
const MAX_COMPARED = 50_000;

/**
 * Marked files that the target does not hold under their paths. A rename and `cp -p` take a mark along, so a mark that
 * isync itself gave to `data.tmp` may be on `data` now: then the target holds a file of this directory with the very
 * size and mtime. Such a mark says nothing about the new path, unlike one that a user has set.
 */
export class UnknownMarks {
  readonly #byVersion = new Map<string, ListedFile[]>();
  #count = 0;

  /** Returns whether there was room for it. */
  add(file: ListedFile): boolean {
    if (this.#count >= MAX_COMPARED) return false;
    this.#count++;
    const key = keyOf(file.entry, 0);
    const same = this.#byVersion.get(key);
    if (same === undefined) this.#byVersion.set(key, [file]);
    else same.push(file);
    return true;
  }

  /** Parts the files into those whose mark came along with a move or a copy, and all others. */
  async part(
    { options: { target }, cut }: ScanContext,
    directory: RelPath,
  ): Promise<{ moved: readonly ListedFile[]; unknown: readonly ListedFile[] }> {
    const moved = new Set<ListedFile>();
    if (this.#count > 0)
      for await (const kept of target.list(directory, { signal: cut }))
        // As sameVersion has it: an mtime may be off by one microsecond.
        for (const offUs of [-1, 0, 1])
          for (const file of this.#byVersion.get(keyOf(kept, offUs)) ?? []) moved.add(file);
    const unknown = [...this.#byVersion.values()].flat().filter((file) => !moved.has(file));
    return { moved: [...moved], unknown };
  }
}

function keyOf({ size, mtimeUs }: FileEntry, offUs: number): string {
  return `${size} ${mtimeUs + offUs}`;
}
