import { fchmodSync, fchownSync, futimesSync, lchownSync, lutimesSync } from 'node:fs';
import type { FileRecord } from '../list/file-record.ts';

const SET_ID = 0o6000;
const OWN_UID = process.geteuid?.();

/**
 * Gives an open file or folder the owner, mode and time of its record. Only root gives files away; for others, what ran as its owner
 * would run as whoever restores it, so such a file loses its setuid and setgid.
 */
export function stamp(fd: number, { uid, gid, mode, mtimeNs }: FileRecord): void {
  // First: a new owner takes bits of the mode away.
  if (OWN_UID === 0) fchownSync(fd, uid, gid);
  fchmodSync(fd, OWN_UID === 0 || OWN_UID === uid ? mode : mode & ~SET_ID);
  const time = timeOf(mtimeNs);
  futimesSync(fd, time, time);
}

/** The same for a symlink, which has no mode. */
export function stampSymlink(at: Buffer, { uid, gid, mtimeNs }: FileRecord): void {
  if (OWN_UID === 0) lchownSync(at, uid, gid);
  const time = timeOf(mtimeNs);
  lutimesSync(at, time, time);
}

/**
 * In seconds, cut to microseconds: Node takes a double, which holds no more, and which must not round up to the next second. As text,
 * because Node takes a negative number for "now". Half a microsecond more, because what becomes of the double is cut once more: half of
 * all whole milliseconds are a little less in it.
 */
function timeOf(ns: bigint): string {
  const us = ns / 1000n - (ns % 1000n < 0n ? 1n : 0n);
  const [sign, absolute, half] = us < 0n ? ['-', -us, ''] : ['', us, '5'];
  return `${sign}${absolute / 1_000_000n}.${String(absolute % 1_000_000n).padStart(6, '0')}${half}`;
}
