import type { RelPath } from './rel-path.ts';

/** One version of one file, as the wire, the stores and the scanner describe it. */
export interface FileEntry {
  readonly path: RelPath;
  /** Bytes. */
  readonly size: number;
  /**
   * Last modification in whole microseconds since the Unix epoch; may be negative. A double holds microseconds exactly
   * until the year 2255, and nanoseconds not even today.
   */
  readonly mtimeUs: number;
}

/** Whole microseconds of a Node `mtimeMs`/`ctimeMs`, whose fraction is exact to about 0.25 µs. */
export function toMicroseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000);
}

/** Whether size and mtime are those of the same version. utimes(2) through a double may be off by one microsecond. */
export function sameVersion(a: FileEntry, b: FileEntry): boolean {
  return a.size === b.size && Math.abs(a.mtimeUs - b.mtimeUs) <= 1;
}
