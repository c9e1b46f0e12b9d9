import { fchmodSync, fchownSync, futimesSync } from 'node:fs';
import type { FileEntry } from '../../model/file-entry.ts';
import type { OwnerIds } from '../../model/owner-ids.ts';

/** Everybody may read what is published; the group may not write, for that bit is the scanner's mark. */
export const PUBLISHED_MODE = 0o644;

/** What published files are given. */
export interface Stamping {
  readonly mode: number;
  readonly owner: OwnerIds | undefined;
}

/** Gives an open file the owner, the mode (whatever the umask) and the mtime it is published with. */
export function stamp(fd: number, file: FileEntry, { mode, owner }: Stamping): void {
  // First: a new owner takes bits of the mode away.
  if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
  fchmodSync(fd, mode);
  // Seconds, off by at most one microsecond (libuv before 1.52 cuts, newer rounds), which sameVersion allows for.
  // As a string, because Node takes a negative number for "now".
  const mtime = String(file.mtimeUs / 1e6);
  futimesSync(fd, mtime, mtime);
}
