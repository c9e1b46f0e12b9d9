import { fchmodSync, futimesSync } from 'node:fs';
import type { FileEntry } from '../../model/file-entry.ts';

/** Everybody may read what is published; the group may not write, for that bit is the scanner's mark. */
const PUBLISHED_MODE = 0o644;

/** Gives an open file the mode (whatever the umask) and the mtime it is published with. */
export function stamp(fd: number, file: FileEntry): void {
  fchmodSync(fd, PUBLISHED_MODE);
  // Seconds, off by at most one microsecond (libuv before 1.52 cuts, newer rounds), which sameVersion allows for.
  // As a string, because Node takes a negative number for "now".
  const mtime = String(file.mtimeUs / 1e6);
  futimesSync(fd, mtime, mtime);
}
