import type { RelPath } from './rel-path.ts';

/** One version of one file: what the wire, the stores and the scanner agree on. */
export interface FileEntry {
  readonly path: RelPath;
  /** Bytes. */
  readonly size: number;
  /**
   * Last modification in whole microseconds since the Unix epoch (may be negative). A double holds these
   * exactly until the year 2255; nanoseconds would not fit.
   */
  readonly mtimeUs: number;
}

/** Whole microseconds of a Node `mtimeMs`/`ctimeMs`, whose fraction is exact to about 0.25 µs. */
export function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000);
}

/** Same version as far as size and mtime tell. utimes(2) through a double may be off by one microsecond. */
export function sameVersion(a: FileEntry, b: FileEntry): boolean {
  return a.size === b.size && Math.abs(a.mtimeUs - b.mtimeUs) <= 1;
}
