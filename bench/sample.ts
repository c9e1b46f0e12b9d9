import type { Sample } from './bench.ts';

export function sampleOf(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    least: sorted[0] ?? NaN,
    most: sorted.at(-1) ?? NaN,
    count: sorted.length,
  };
}

/** Nearest rank in ascending values; NaN of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

/**
 * Takes every measurement in turns, `runs` times, so that a slow minute of the machine meets all alike; each returns
 * its figure. The order turns round each time.
 */
export async function inTurns<Name extends string>(
  runs: number,
  measures: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, Sample>> {
  const names = Object.keys(measures) as Name[];
  const values = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let run = 0; run < runs; run++)
    for (const name of run % 2 === 0 ? names : names.toReversed())
      values.get(name)!.push(await measures[name]());
  return Object.fromEntries(names.map((name) => [name, sampleOf(values.get(name)!)])) as Record<Name, Sample>;
}
