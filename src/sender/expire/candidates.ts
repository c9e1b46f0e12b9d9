import type { RelPath } from '../../model/rel-path.ts';
import type { DataDirectory, NewestBy } from '../../scanner/data-directory.ts';
import { newestOf } from '../../scanner/newest.ts';
import type { Place } from './place.ts';

/** A directory with a seal, and where it is. */
export interface Candidate {
  readonly place: Place;
  readonly directory: DataDirectory;
  /** When it was sealed, in ms since the epoch. */
  readonly sealedMs: number;
}

/** The sealed ones of `directories`, the oldest seal first. */
export function candidatesIn(
  root: string,
  directories: readonly DataDirectory[],
  newest: NewestBy,
): Candidate[] {
  const heldBack = nameHeldBack(directories, newest);
  return directories
    .filter(({ name }) => name !== heldBack)
    .map((directory) => ({ place: { root, at: directory.name, name: directory.name }, directory }))
    .flatMap(({ place, directory }) => {
      const sealedMs = sealedAt(directory);
      return sealedMs === undefined ? [] : [{ place, directory, sealedMs }];
    })
    .sort((a, b) => a.sealedMs - b.sealedMs || (a.directory.name < b.directory.name ? -1 : 1));
}

/**
 * The newest directory while one is neither sealed nor closed: without it that one would be the newest, and a scan would wait for
 * ever for more to come into it.
 */
function nameHeldBack(directories: readonly DataDirectory[], by: NewestBy): RelPath | undefined {
  const isOneOpen = directories.some(({ seal, closed }) => seal === undefined && !closed);
  return isOneOpen ? newestOf(directories, by, Date.now())?.name : undefined;
}

/** Undefined where there is no seal. A marker without a record has only its own time. */
function sealedAt({ seal }: DataDirectory): number | undefined {
  return seal?.record === undefined ? seal?.mtimeMs : Date.parse(seal.record.finished);
}
