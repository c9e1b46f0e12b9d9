import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { WorkMetrics } from '../../src/events/work/work-metrics.ts';

describe('the metrics of a pull', () => {
  it('have how often the command of exec ran and failed, where there is one', async () => {
    const registry = new Registry();
    const counts = { runs: 0, failures: 0 };
    const metrics = new WorkMetrics(registry, { parked: () => 0, inHand: () => 0, exec: () => counts });
    metrics.received('aws', 'created');
    counts.runs = 3;
    counts.failures = 1;
    // Each look tells how many there are, and adds none.
    await registry.metrics();
    const text = await registry.metrics();
    expect(text).toContain('isync_events_exec_runs_total 3\n');
    expect(text).toContain('isync_events_exec_failures_total 1\n');
    const none = new Registry();
    expect(new WorkMetrics(none, { parked: () => 0, inHand: () => 0, exec: undefined })).toBeDefined();
    expect(await none.metrics()).not.toContain('exec');
  });

  it('tell apart as many names of others as are bounded', async () => {
    const registry = new Registry();
    const metrics = new WorkMetrics(registry, { parked: () => 0, inHand: () => 0, exec: undefined });
    for (let i = 0; i < 1000; i++) metrics.ignored(`Name${i}`);
    const text = await registry.metrics();
    expect(text.split('\n').filter((line) => line.startsWith('isync_events_ignored_total{'))).toHaveLength(
      51,
    );
    expect(text).toContain('isync_events_ignored_total{name="other"} 950');
  });
});
