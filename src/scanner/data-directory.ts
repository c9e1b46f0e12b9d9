import type { RelPath } from '../model/rel-path.ts';

/** finished: sealed · closed: gets no more files · abandoned: unclosed, no longer the newest · active: the newest. */
export type DirectoryState = 'finished' | 'closed' | 'abandoned' | 'active';

/** How "newest" is decided. Ties go by natural name order ("DC10" after "DC9"). */
export type NewestBy = 'birthtime' | 'mtime' | 'name';

/** A first-level folder of the root. */
export interface DataDirectory {
  readonly name: RelPath;
  readonly birthtimeMs: number;
  readonly mtimeMs: number;
  /** `finished.watch` is there. */
  readonly finished: boolean;
  /** `finished.parse` is there. */
  readonly closed: boolean;
}

/** What design and ARCHITECTURE.md call the state of a directory. */
export function stateOf(directory: DataDirectory, newest: boolean): DirectoryState {
  if (directory.finished) return 'finished';
  if (directory.closed) return 'closed';
  return newest ? 'active' : 'abandoned';
}
