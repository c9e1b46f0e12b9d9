import { joinRelPath, parseRelPath, type RelPath } from '../../model/rel-path.ts';

/** A data directory that may have been set aside: where it is, and what it is called at the target. */
export interface Place {
  readonly root: string;
  /** Below the root, where it is now. */
  readonly at: RelPath;
  readonly name: RelPath;
}

/** What begins a name is set aside: a scan leaves names alone that begin with a dot. */
const ASIDE = '.isync-expire-';
/** Longest name of a folder, in bytes. */
const MAX_NAME_BYTES = 255;

/** Where a data directory is set aside; undefined where its name is too long for that. */
export function asideOf(name: RelPath): RelPath | undefined {
  const aside = `${ASIDE}${name}`;
  return Buffer.byteLength(aside) > MAX_NAME_BYTES ? undefined : parseRelPath(aside);
}

/** The name of the directory that was set aside under `name`; undefined where that is no such name. */
export function setAsideName(name: string): RelPath | undefined {
  const original = name.startsWith(ASIDE) ? name.slice(ASIDE.length) : '';
  return original === '' || original.startsWith('.') ? undefined : parseRelPath(original);
}

/** Where a path of the directory is at the target. */
export function atTarget({ at, name }: Place, path: RelPath): RelPath {
  return joinRelPath(name, path.slice(at.length + 1));
}
