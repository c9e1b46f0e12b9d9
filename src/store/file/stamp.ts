import { fchmodSync, futimesSync } from 'node:fs';
import type { FileEntry } from '../../model/file-entry.ts';

/** Everybody may read what is published; the group may not write, for that bit is the scanner's mark. */
const PUBLISHED_MODE = 0o644;

/** Gives an open file the mode (whatever the umask) and the mtime it is published with. */
export function stamp(fd: number, file: FileEntry): void {
  fchmodSync(fd, PUBLISHED_MODE);
  const mtime = toUtimes(file.mtimeUs);
  futimesSync(fd, mtime, mtime);
}

/**
 * Seconds for Node's utimes calls. libuv cuts to whole microseconds towards zero, so half a one is added against
 * falling short; as a string, because Node takes a negative number for "now".
 */
function toUtimes(mtimeUs: number): string {
  return String((mtimeUs + Math.sign(mtimeUs) / 2) / 1e6);
}
