import { describe, expect, it } from 'vitest';
import { RECONCILE_MS, ReconcilePace, ROUTINE_MS } from '../../src/watcher/reconcile-pace.ts';

describe('ReconcilePace', () => {
  it('tells nothing while nothing has changed, but for a routine one', () => {
    const pace = new ReconcilePace(0);
    expect(pace.due(ROUTINE_MS - 1)).toBeUndefined();
    expect(pace.due(ROUTINE_MS)).toBe('routine');
    expect(pace.due(ROUTINE_MS + 1)).toBeUndefined();
    expect(pace.due(2 * ROUTINE_MS)).toBe('routine');
  });

  it('tells a change once, no sooner than the shortest time after the one before', () => {
    const pace = new ReconcilePace(0);
    pace.changed('first');
    pace.changed('second');
    expect(pace.due(RECONCILE_MS - 1)).toBeUndefined();
    expect(pace.due(RECONCILE_MS)).toBe('first');
    expect(pace.due(10 * RECONCILE_MS)).toBeUndefined();
    pace.changed('third');
    expect(pace.due(10 * RECONCILE_MS)).toBe('third');
  });

  it('lets listing take at most a fiftieth of the time', () => {
    const pace = new ReconcilePace(0);
    pace.changed('a');
    pace.listed(200, 1000);
    expect(pace.due(10_999)).toBeUndefined();
    expect(pace.due(11_000)).toBe('a');
    pace.listed(2000, 13_000);
    expect(pace.due(13_000 + ROUTINE_MS)).toBeUndefined();
    expect(pace.due(13_000 + 100_000)).toBe('routine');
  });

  it('puts a loss ahead of that, but not of the shortest time', () => {
    const pace = new ReconcilePace(0);
    pace.changed('a');
    pace.listed(200, 1000);
    pace.lost('overflow');
    pace.lost('more');
    expect(pace.due(1999)).toBeUndefined();
    expect(pace.due(2000)).toBe('overflow');
    expect(pace.due(30_000)).toBeUndefined();
  });
});
