import { constants, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test, vi } from 'vitest';
import { Scavenger } from '../../src/flow/scavenger.ts';

const MIB = 1024 * 1024;

afterEach(() => {
  globalThis.gc = undefined;
});

test('collects the young generation, and only that, once for every 8 MiB', async () => {
  setFlagsFromString('--expose-gc');
  globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
  const kinds: unknown[] = [];
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as (PerformanceEntry & { detail: { kind: unknown } })[];
    for (const { detail } of entries) kinds.push(detail.kind);
  });
  observer.observe({ entryTypes: ['gc'] });
  const scavenger = new Scavenger();
  for (let mib = 0; mib < 800; mib++) scavenger.freed(MIB);
  await vi.waitFor(() => expect(kinds.length).toBeGreaterThanOrEqual(100), 60_000);
  observer.disconnect();
  const minor = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
  // The test itself, and what others have left running, may need some more; one for each MiB would be 800.
  expect(minor).toBeGreaterThanOrEqual(100);
  expect(minor).toBeLessThan(200);
});

test('does nothing where there is no function to do so', () => {
  expect(globalThis.gc).toBeUndefined();
  expect(() => new Scavenger().freed(100 * MIB)).not.toThrow();
});
