import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstSince, Timetable } from '../../src/backup/daemon/timetable.ts';
import { scheduleOf } from '../../src/backup/schedule/due.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ms = (text: string): number => Date.parse(text);

/** A timetable, and what it had kept. */
function timetable(
  schedule: Parameters<typeof scheduleOf>[0],
  sinceMs: number,
  { jitterMs = 0, timezone = 'UTC' } = {},
): { readonly table: Timetable; readonly kept: number[] } {
  const kept: number[] = [];
  const table = new Timetable({
    schedule: scheduleOf(schedule, timezone),
    name: 'app run',
    jitterMs,
    sinceMs,
    keep: (at) => kept.push(at),
  });
  return { table, kept };
}

const nightly = { kind: 'cron', pattern: '30 2 * * *' } as const;

describe('what is due', () => {
  it('is so until it has ended, and then again at the next time', () => {
    const { table, kept } = timetable(nightly, ms('2025-01-01T12:00Z'));
    expect(table.look(ms('2025-01-02T02:29:59Z'))).toBeUndefined();
    expect(table.nextMs(ms('2025-01-02T02:29:59Z'))).toBe(ms('2025-01-02T02:30Z'));
    const due = table.look(ms('2025-01-02T02:30Z'));
    expect(due).toEqual({ dueMs: ms('2025-01-02T02:30Z'), isCatchUp: false });
    expect(table.look(ms('2025-01-02T02:31Z'))).toEqual({ ...due, isCatchUp: false });
    expect(table.ended(due!, 'done', ms('2025-01-02T03:10Z'))).toBeUndefined();
    expect(kept).toEqual([ms('2025-01-02T02:30Z')]);
    expect(table.look(ms('2025-01-03T02:29Z'))).toBeUndefined();
    expect(table.nextMs(ms('2025-01-02T03:10Z'))).toBe(ms('2025-01-03T02:30Z'));
  });

  it('is caught up once after a week off', () => {
    const { table } = timetable(nightly, ms('2025-01-01T02:30Z'));
    const due = table.look(ms('2025-01-08T09:00Z'));
    expect(due).toEqual({ dueMs: ms('2025-01-08T02:30Z'), isCatchUp: true });
    table.ended(due!, 'done', ms('2025-01-08T09:20Z'));
    expect(table.look(ms('2025-01-08T09:21Z'))).toBeUndefined();
  });

  it('that we ended in the middle of is due at the next start', () => {
    const { table, kept } = timetable(nightly, ms('2025-01-01T02:30Z'));
    const due = table.look(ms('2025-01-02T02:30Z'));
    table.ended(due!, 'interrupted', ms('2025-01-02T02:40Z'));
    expect(kept).toEqual([]);
    expect(timetable(nightly, ms('2025-01-01T02:30Z')).table.look(ms('2025-01-02T02:50Z'))).toMatchObject({
      dueMs: due!.dueMs,
    });
  });

  it('of a time in the future is of a clock that was ahead, and the schedule counts from now', () => {
    const { table, kept } = timetable(nightly, ms('2031-01-01T02:30Z'));
    expect(table.look(ms('2025-01-02T02:00Z'))).toBeUndefined();
    expect(kept).toEqual([ms('2025-01-02T02:00Z')]);
    expect(table.look(ms('2025-01-02T02:30Z'))).toMatchObject({ dueMs: ms('2025-01-02T02:30Z') });
  });

  it('is not due again where the clock goes back by some minutes', () => {
    const { table } = timetable(nightly, ms('2025-01-01T02:30Z'));
    table.ended(table.look(ms('2025-01-02T02:30Z'))!, 'done', ms('2025-01-02T02:30:10Z'));
    expect(table.look(ms('2025-01-02T02:20Z'))).toBeUndefined();
    expect(table.look(ms('2025-01-02T02:30Z'))).toBeUndefined();
  });
});

describe('jitter', () => {
  it('puts each time off by less than it is, and by the same after a restart', () => {
    const startOf = (jitterMs: number): number => {
      const { table } = timetable(nightly, ms('2025-01-01T02:30Z'), { jitterMs });
      return table.nextMs(ms('2025-01-02T02:30Z'));
    };
    const start = startOf(HOUR);
    expect(start).toBeGreaterThan(ms('2025-01-02T02:30Z'));
    expect(start).toBeLessThan(ms('2025-01-02T03:30Z'));
    expect(startOf(HOUR)).toBe(start);
    const { table } = timetable(nightly, ms('2025-01-01T02:30Z'), { jitterMs: HOUR });
    expect(table.look(start - 1)).toBeUndefined();
    expect(table.look(start)).toEqual({ dueMs: ms('2025-01-02T02:30Z'), isCatchUp: false });
  });

  it('that is longer than the interval lets each time come nevertheless', () => {
    const { table } = timetable({ kind: 'every', everyMs: MINUTE }, 0, { jitterMs: DAY });
    let runs = 0;
    for (let now = 0; now < 60 * MINUTE; now += 1000) {
      const due = table.look(now);
      if (due === undefined) continue;
      runs += 1;
      table.ended(due, 'done', now);
    }
    expect(runs).toBeGreaterThan(50);
  });
});

describe('a failure that may pass', () => {
  it('is tried again after 5, 20 and 60 minutes, and then left to the schedule', () => {
    const { table, kept } = timetable(nightly, ms('2025-01-01T02:30Z'));
    let now = ms('2025-01-02T02:30Z');
    const waits: (number | undefined)[] = [];
    for (let failure = 0; failure < 4; failure++) {
      const due = table.look(now);
      expect(due?.dueMs).toBe(ms('2025-01-02T02:30Z'));
      const wait = table.ended(due!, 'passing', now);
      waits.push(wait);
      expect(table.look(now + (wait ?? 0) - 1)).toBeUndefined();
      now += wait ?? 0;
    }
    expect(waits).toEqual([5 * MINUTE, 20 * MINUTE, HOUR, undefined]);
    expect(kept).toEqual([ms('2025-01-02T02:30Z')]);
    expect(table.nextMs(now)).toBe(ms('2025-01-03T02:30Z'));
  });

  it('gives way to the next time of the schedule, which has all its tries', () => {
    const { table } = timetable({ kind: 'every', everyMs: 10 * MINUTE }, 0);
    const first = table.look(10 * MINUTE);
    table.ended(first!, 'passing', 11 * MINUTE);
    table.ended(table.look(16 * MINUTE)!, 'passing', 17 * MINUTE);
    const next = table.look(20 * MINUTE);
    expect(next?.dueMs).toBe(20 * MINUTE);
    expect(table.ended(next!, 'passing', 20 * MINUTE)).toBe(5 * MINUTE);
  });

  it('does not wait for years where the clock is set back meanwhile', () => {
    const { table } = timetable({ kind: 'cron', pattern: '0 0 1 1 *' }, ms('2024-06-01T00:00Z'));
    const due = table.look(ms('2025-03-01T00:00Z'));
    table.ended(due!, 'passing', ms('2025-03-01T00:00Z'));
    expect(table.look(ms('2025-03-01T00:01Z'))).toBeUndefined();
    expect(table.look(ms('2025-01-10T00:00Z'))).toMatchObject({ dueMs: due!.dueMs });
  });
});

it('of a job that another process runs, no turn is lost and no failure counted', () => {
  const { table, kept } = timetable(nightly, ms('2025-01-01T02:30Z'));
  let now = ms('2025-01-02T02:30Z');
  for (let look = 0; look < 100; look++) {
    const due = table.look(now);
    expect(due?.dueMs).toBe(ms('2025-01-02T02:30Z'));
    now += table.ended(due!, 'busy', now)!;
  }
  expect(kept).toEqual([]);
  expect(table.ended(table.look(now)!, 'passing', now)).toBe(5 * MINUTE);
});

describe('at the start of a daemon a schedule counts', () => {
  const now = ms('2025-01-02T12:00Z');
  const every = { kind: 'every', everyMs: DAY } as const;
  it.each([
    ['from what was kept', nightly, { keptMs: 5, lastRunMs: undefined }, 5],
    ['from a run by hand that is newer', nightly, { keptMs: 5, lastRunMs: 9 }, 9],
    ['from the last run where nothing was kept', every, { keptMs: undefined, lastRunMs: 9 }, 9],
    ['from now', nightly, { keptMs: undefined, lastRunMs: undefined }, now],
    ['so that an interval is due at once', every, { keptMs: undefined, lastRunMs: undefined }, now - DAY],
  ])('%s', (_, schedule, known, since) => {
    expect(firstSince(schedule, known, now)).toBe(since);
  });
});

it('never runs twice for one time, whatever the clock does and whatever becomes of the runs', () => {
  const step = fc.record({
    /** By how much the clock goes on, or is set. */
    by: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 3 * HOUR }) },
      { weight: 1, arbitrary: fc.integer({ min: -14 * MINUTE, max: 0 }) },
      { weight: 1, arbitrary: fc.integer({ min: DAY, max: 9 * DAY }) },
    ),
    how: fc.constantFrom('done', 'passing', 'busy', 'interrupted'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(2 * HOUR), (steps, jitterMs) => {
      let now = ms('2025-03-28T00:00Z');
      const { table } = timetable(nightly, now, { jitterMs, timezone: 'Europe/Berlin' });
      const done: number[] = [];
      let wasSetBack = false;
      for (const { by, how } of steps) {
        // By less than a quarter of an hour in all: beyond that it is a clock that was wrong.
        if (by <= 0 && wasSetBack) continue;
        wasSetBack ||= by <= 0;
        now += by;
        const due = table.look(now);
        if (due === undefined) continue;
        expect(due.dueMs).toBeLessThanOrEqual(now);
        if (table.ended(due, how, now) === undefined && how !== 'interrupted') done.push(due.dueMs);
      }
      expect(done).toEqual([...new Set(done)].toSorted((a, b) => a - b));
    }),
  );
});
