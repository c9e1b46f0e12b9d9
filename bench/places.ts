import type { Bench } from './bench.ts';

/** A file system to measure on. */
export interface Place {
  /** As rows name it. */
  readonly name: 'disk' | 'tmpfs';
  readonly folder: string;
}

/** The disk, and memory where there is such a file system: what the disk costs is the difference. */
export function places({ disk, tmpfs }: Bench): Place[] {
  return [
    { name: 'disk', folder: disk },
    ...(tmpfs === undefined ? [] : [{ name: 'tmpfs', folder: tmpfs } as const]),
  ];
}
