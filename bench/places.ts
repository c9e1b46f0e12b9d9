import type { Bench, BenchCase } from './bench.ts';

/** A file system to measure on. */
export interface Place {
  /** As rows name it. */
  readonly name: 'disk' | 'tmpfs';
  readonly folder: string;
  /** The name of a case on this file system. */
  caseName(name: string): string;
}

interface PlacedCase {
  readonly name: string;
  readonly about: string;
  readonly run: (bench: Bench, place: Place) => Promise<void>;
}

/** `NAME-disk` and `NAME-tmpfs`: what the disk costs is the difference. */
export function everywhere({ name, about, run }: PlacedCase): BenchCase[] {
  return (['disk', 'tmpfs'] as const).map((on) => ({
    name: `${name}-${on}`,
    about: `${about}, on ${on}`,
    async run(bench) {
      const folder = bench[on];
      if (folder === undefined) bench.say(`!!! ${name}-${on} is left out: there is no tmpfs`);
      else await run(bench, { name: on, folder, caseName: (name) => `${name}-${on}` });
    },
  }));
}
