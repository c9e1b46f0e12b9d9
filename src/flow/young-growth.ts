import { setFlagsFromString } from 'node:v8';

/** For so long after something large, in ms, more of it is expected. */
const EXPECTED_MS = 10_000;

/** On the clock of performance.now(). */
let largeAtMs = -Infinity;

/**
 * To be called before work that takes many MB for a moment, in a process that has else little to do with each request. Where none
 * was expected, V8 gives back first what it has grown by for speed, in some 35 ms. Only the first call does that, and only where
 * the process has a `gc` function (see cli/heap-growth.ts).
 */
export function beginLargeWork(): void {
  const isNew = !isLargeExpected();
  largeAtMs = performance.now();
  if (!isNew || globalThis.gc === undefined) return;
  setYoungGrowth(1);
  globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

/** Whether memory is better kept for large work than taken for speed. */
export function isLargeExpected(): boolean {
  return performance.now() - largeAtMs < EXPECTED_MS;
}

/**
 * How V8 lets its young generation grow, at the end of a collection where enough has survived.
 * @param factor from one size to the next: 1 for none, 2 as V8 has it
 */
export function setYoungGrowth(factor: 1 | 2): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}
