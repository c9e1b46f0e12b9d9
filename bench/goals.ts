import type { Goal, Sample } from './bench.ts';

/** `isync ≤ factor × other`; no goal where the other was not there to be measured. */
export function atMost(factor: number, name: string, isync: Sample, other: Sample | undefined): Goal[] {
  if (other === undefined) return [];
  const ratio = isync.median / other.median;
  return [{ text: `${ratio.toFixed(2)} × ${name}, at most ${factor}`, met: ratio <= factor }];
}

/** `isync ≥ factor × other`, where more is better. */
export function asManyAs(factor: number, name: string, isync: Sample, other: Sample | undefined): Goal[] {
  if (other === undefined) return [];
  const ratio = isync.median / other.median;
  return [
    { text: `${ratio.toFixed(2)} × ${name}, at least ${Number(factor.toFixed(2))}`, met: ratio >= factor },
  ];
}

/** No slower than an earlier build, but for what the measure itself moves by. */
export const MOST_AFTER = 1.05;

/** isync at least `factor` times as fast. */
export function atLeast(factor: number, name: string, isync: Sample, other: Sample): Goal {
  const ratio = other.median / isync.median;
  return { text: `${ratio.toFixed(0)} times as fast as ${name}, at least ${factor}`, met: ratio >= factor };
}
