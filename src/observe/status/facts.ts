import type { Fact } from './report.ts';

/** A fact that is a number of things. */
export function countFact(id: string, label: string, value: number | null): Fact {
  return { id, label, value, unit: 'count' };
}
