import type { Stats } from 'node:fs';

/** Identifies one version of a file: a later look at its path is compared with it. */
export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch with the fraction that Node gives (about 0.25 µs). */
  readonly mtimeMs: number;
  /** A mark or another chmod changes this one alone; a write changes `mtimeMs` as well. */
  readonly ctimeMs: number;
}

export function identityOf(stats: Stats): FileIdentity {
  return {
    dev: stats.dev,
    ino: stats.ino,
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
  };
}

/** Nothing at all has happened to the file: neither to its content nor to its mode, owner, name or links. */
export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return sameContentVersion(a, b) && a.ctimeMs === b.ctimeMs;
}

/**
 * The same inode with the same content, as far as size and mtime tell; it may have been marked, renamed or linked
 * meanwhile. They can't tell a write that keeps the size in the very clock tick of the write before it: 1 to 10 ms on
 * Linux before 6.13, a whole second on file systems that stamp by it. A caller that reads a file within
 * a tick of its mtime must read it again later.
 */
export function sameContentVersion(a: FileIdentity, b: FileIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs;
}
