export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

/** Of at least one value, by nearest rank: each is one of the values. Undefined without any. */
export function percentilesOf(values: readonly number[]): Percentiles | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): number | undefined => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  const p50 = at(0.5);
  const p95 = at(0.95);
  return p50 === undefined || p95 === undefined ? undefined : { p50, p95 };
}
