import { describe, expect, it } from 'vitest';
import { dueAt, jitterOf, scheduleOf, sinceWhen } from '../../src/backup/schedule/due.ts';
import type { Schedule } from '../../src/backup/schedule/schedule.ts';

const cron = (pattern: string, timezone = 'UTC'): Schedule => scheduleOf({ kind: 'cron', pattern }, timezone);
const ms = (text: string): number => Date.parse(text);

/** All times of a schedule from `from` to before `until`. */
function times(schedule: Schedule, from: string, until: string): string[] {
  const found: string[] = [];
  for (let at = schedule.next(ms(from) - 1); at !== undefined && at < ms(until); at = schedule.next(at))
    found.push(new Date(at).toISOString().replace(':00.000Z', 'Z'));
  return found;
}

describe('a schedule', () => {
  it('of 5 fields is one of minutes, and of 6 one of seconds', () => {
    const day = ['2025-04-05T00:00:00Z', '2025-04-06T00:00:00Z'] as const;
    expect(times(cron('30 2 * * *'), ...day)).toEqual(['2025-04-05T02:30Z']);
    expect(times(cron('0 30 2 * * *'), ...day)).toEqual(['2025-04-05T02:30Z']);
    expect(times(cron('15 30 2 * * *'), ...day)).toEqual(['2025-04-05T02:30:15.000Z']);
  });

  it('is of its time zone', () => {
    expect(
      times(cron('0 30 2 * * *', 'Asia/Shanghai'), '2025-04-05T00:00:00Z', '2025-04-06T00:00:00Z'),
    ).toEqual(['2025-04-05T18:30Z']);
  });

  it.each(['30 2 * * *', '0 30 2 * * *', '0 15,30,45 2 * * *'])(
    'of a time that the clocks skip (%s) is due once, right after it',
    (pattern) => {
      // In Berlin 02:00 to 03:00 is not there on 30 March.
      expect(times(cron(pattern, 'Europe/Berlin'), '2025-03-29T23:00:00Z', '2025-03-30T22:00:00Z')).toEqual([
        '2025-03-30T01:00Z',
      ]);
    },
  );

  it.each(['30 2 * * *', '0 30 2 * * *'])('of a time that comes twice (%s) is due once', (pattern) => {
    // In Berlin 02:00 to 03:00 comes twice on 26 October.
    expect(times(cron(pattern, 'Europe/Berlin'), '2025-10-25T22:00:00Z', '2025-10-26T23:00:00Z')).toEqual([
      '2025-10-26T00:30Z',
    ]);
  });

  it('of each hour goes on through both', () => {
    const hourly = cron('0 0 * * * *', 'Europe/Berlin');
    expect(times(hourly, '2025-03-29T23:00:00Z', '2025-03-30T03:00:00Z')).toHaveLength(4);
    expect(times(hourly, '2025-10-25T23:00:00Z', '2025-10-26T03:00:00Z')).toHaveLength(4);
  });

  it('of an interval counts from the last run', () => {
    const daily = scheduleOf({ kind: 'every', everyMs: 86_400_000 }, 'UTC');
    expect(daily.next(ms('2025-01-01T03:17:00Z'))).toBe(ms('2025-01-02T03:17:00Z'));
  });

  it('of the last day of a month finds the leap day', () => {
    expect(times(cron('0 0 2 L * *'), '2024-02-01T00:00:00Z', '2024-04-01T00:00:00Z')).toEqual([
      '2024-02-29T02:00Z',
      '2024-03-31T02:00Z',
    ]);
  });
});

describe('a run', () => {
  const nightly = cron('0 30 2 * * *');

  it('is due from its time on, and once', () => {
    const last = ms('2025-01-01T02:30:00Z');
    expect(dueAt(nightly, last, ms('2025-01-02T02:29:59Z'))).toBeUndefined();
    const due = dueAt(nightly, last, ms('2025-01-02T02:30:00Z'));
    expect(due).toEqual({ dueMs: ms('2025-01-02T02:30:00Z'), isCatchUp: false });
    expect(dueAt(nightly, due!.dueMs, ms('2025-01-02T02:30:01Z'))).toBeUndefined();
  });

  it('that was missed for days is caught up once', () => {
    const due = dueAt(nightly, ms('2025-01-01T02:30:00Z'), ms('2025-01-05T14:00:00Z'));
    expect(due).toEqual({ dueMs: ms('2025-01-05T02:30:00Z'), isCatchUp: true });
    expect(dueAt(nightly, due!.dueMs, ms('2025-01-05T14:00:01Z'))).toBeUndefined();
  });

  it.each(['* * * * * *', '0 0 2 29 2 *'])(
    'that was missed for years, of %s, is caught up once',
    (pattern) => {
      const due = dueAt(cron(pattern), 0, ms('2025-01-05T14:00:00Z'));
      expect(due?.dueMs).toBe(ms(pattern.startsWith('*') ? '2025-01-05T14:00:00Z' : '2024-02-29T02:00:00Z'));
      const daily = scheduleOf({ kind: 'every', everyMs: 86_400_000 }, 'UTC');
      expect(dueAt(daily, 5, ms('2025-01-05T14:00:00Z'))?.dueMs).toBe(ms('2025-01-05T00:00:00Z') + 5);
    },
  );

  it.each([
    ['Europe/Berlin', '2025-03-29T12:00:00Z'],
    ['Europe/Berlin', '2025-10-25T12:00:00Z'],
    ['America/New_York', '2025-11-01T12:00:00Z'],
    ['Asia/Shanghai', '2025-03-29T12:00:00Z'],
  ])('is the last one by the times that come next, in %s from %s on', (timezone, from) => {
    for (const pattern of ['30 2 * * *', '0 30 1,2 * * *', '15 1 * * *', '0 */20 * * * *']) {
      const schedule = cron(pattern, timezone);
      // What is due by looking at each time before.
      let byNext = schedule.next(ms(from))!;
      for (let now = byNext; now < ms(from) + 2 * 86_400_000; now += 600_000) {
        for (let next = schedule.next(byNext)!; next <= now; next = schedule.next(byNext)!) byNext = next;
        expect([pattern, schedule.last(ms(from), now)]).toEqual([pattern, byNext]);
      }
    }
  });

  it('that waits for its jitter has not been missed', () => {
    const last = ms('2025-01-01T02:30:00Z');
    expect(dueAt(nightly, last, ms('2025-01-02T02:40:00Z'), 900_000)).toMatchObject({ isCatchUp: false });
    expect(dueAt(nightly, last, ms('2025-01-02T02:40:00Z'))).toMatchObject({ isCatchUp: true });
  });

  it('was for a time in the future: the schedule counts from now, but not where a clock is corrected', () => {
    const now = ms('2025-01-02T12:00:00Z');
    expect(sinceWhen(ms('2030-01-01T00:00:00Z'), now)).toBe(now);
    expect(sinceWhen(now + 5000, now)).toBe(now + 5000);
    expect(sinceWhen(now - 1, now)).toBe(now - 1);
  });
});

describe('the jitter of a run', () => {
  it('is less than what is allowed, the same each time, and spread', () => {
    const found = Array.from({ length: 200 }, (_, day) => jitterOf('a', day * 86_400_000, 600_000));
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...found)).toBeLessThan(600_000);
    expect(new Set(found.map((each) => Math.floor(each / 60_000))).size).toBe(10);
    expect(jitterOf('a', 86_400_000, 600_000)).toBe(found[1]);
    expect(jitterOf('b', 86_400_000, 600_000)).not.toBe(found[1]);
    expect(jitterOf('a', 0, 0)).toBe(0);
  });
});
