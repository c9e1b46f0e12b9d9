import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeepRule } from '../../src/backup/job.ts';
import { judge } from '../../src/backup/rules/judge.ts';
import { pruneBars } from '../../src/backup/rules/prune-bars.ts';
import type { JudgedBackup } from '../../src/backup/rules/verdict.ts';

interface Case {
  readonly what: string;
  /** In the order of their versions. */
  readonly made: readonly string[];
  readonly rule: Partial<KeepRule>;
  /** Those that stay. */
  readonly kept: readonly string[];
  readonly timezone?: string;
}

/** A time as `2025-01-31` (noon) or `2025-01-31 08:00`, in UTC. */
function at(text: string): number {
  const [date, time = '12:00'] = text.split(' ');
  return Date.parse(`${date}T${time}:00Z`);
}

function backups(
  made: readonly string[],
  change: Partial<Record<string, Partial<JudgedBackup>>> = {},
): JudgedBackup[] {
  return made.map((name, index) => ({
    name,
    version: index + 1,
    startedMs: at(name.replace(/ #.*/, '')),
    needs: [index + 1],
    isMarked: false,
    isDamaged: false,
    ...change[name],
  }));
}

function keptOf(
  given: readonly JudgedBackup[],
  rule: Partial<KeepRule> | undefined,
  timezone = 'UTC',
): string[] {
  return judge(given, rule && { min: 1, ...rule }, timezone)
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ backup }) => backup.name)
    .reverse();
}

const CASES: readonly Case[] = [
  {
    what: 'the last ones',
    made: ['2025-01-01', '2025-01-02', '2025-01-03'],
    rule: { last: 2 },
    kept: ['2025-01-02', '2025-01-03'],
  },
  {
    what: 'the last of each month, by its own end',
    made: ['2025-01-30', '2025-01-31', '2025-02-01', '2025-02-28', '2025-03-01', '2025-03-31', '2025-04-30'],
    rule: { monthly: 3 },
    kept: ['2025-02-28', '2025-03-31', '2025-04-30'],
  },
  {
    what: 'a leap day as the end of its February',
    made: ['2024-01-31', '2024-02-28', '2024-02-29', '2024-03-01'],
    rule: { monthly: 2 },
    kept: ['2024-02-29', '2024-03-01'],
  },
  {
    what: 'a leap day as the day that it is',
    made: ['2024-02-28', '2024-02-28 20:00', '2024-02-29', '2024-03-01'],
    rule: { daily: 3 },
    kept: ['2024-02-28 20:00', '2024-02-29', '2024-03-01'],
  },
  {
    what: 'ISO weeks, which begin on Monday',
    // 5 January 2025 is a Sunday.
    made: ['2025-01-04', '2025-01-05', '2025-01-06', '2025-01-12', '2025-01-13'],
    rule: { weekly: 2 },
    kept: ['2025-01-12', '2025-01-13'],
  },
  {
    what: 'an ISO week over the turn of the year once',
    // Monday 30 December 2024 to Sunday 5 January 2025 is week 1 of 2025.
    made: ['2024-12-29', '2024-12-30', '2025-01-01', '2025-01-05'],
    rule: { weekly: 2 },
    kept: ['2024-12-29', '2025-01-05'],
  },
  {
    what: 'week 53 of 2020, which ends in 2021',
    made: ['2020-12-27', '2020-12-28', '2021-01-03', '2021-01-04'],
    rule: { weekly: 2 },
    kept: ['2021-01-03', '2021-01-04'],
  },
  {
    what: 'the newest of each year',
    made: ['2022-12-31 23:59', '2023-01-01 00:00', '2023-06-01', '2024-12-31', '2025-01-01'],
    rule: { yearly: 3 },
    kept: ['2023-06-01', '2024-12-31', '2025-01-01'],
  },
  {
    what: 'the newest of each hour',
    made: ['2025-01-01 10:00', '2025-01-01 10:59', '2025-01-01 11:00', '2025-01-01 11:01'],
    rule: { hourly: 2 },
    kept: ['2025-01-01 10:59', '2025-01-01 11:01'],
  },
  {
    what: 'over gaps: periods without a backup count for nothing',
    made: ['2024-03-01', '2024-03-05', '2024-09-01', '2025-02-01'],
    rule: { monthly: 3 },
    kept: ['2024-03-05', '2024-09-01', '2025-02-01'],
  },
  {
    what: 'the oldest while a count is left',
    made: ['2025-01-01', '2025-01-02', '2025-01-03', '2025-02-01'],
    rule: { monthly: 6 },
    kept: ['2025-01-01', '2025-01-03', '2025-02-01'],
  },
  {
    what: 'not the oldest once the counts are used up',
    made: ['2025-01-01', '2025-01-03', '2025-02-01'],
    rule: { monthly: 2 },
    kept: ['2025-01-03', '2025-02-01'],
  },
  {
    what: 'days back from the newest, not from now: a job that stood still for years loses nothing',
    made: ['2019-05-01', '2019-05-03', '2019-05-08', '2019-05-09'],
    rule: { days: 7 },
    kept: ['2019-05-03', '2019-05-08', '2019-05-09'],
  },
  {
    what: 'days to the second: what is just so old goes',
    made: ['2025-01-01 12:00', '2025-01-01 12:01', '2025-01-08 12:00'],
    rule: { days: 7 },
    kept: ['2025-01-01 12:01', '2025-01-08 12:00'],
  },
  {
    what: 'what any rule keeps',
    made: ['2024-12-01', '2025-01-01', '2025-01-20', '2025-01-21', '2025-01-22'],
    rule: { last: 1, daily: 2, monthly: 2 },
    kept: ['2024-12-01', '2025-01-21', '2025-01-22'],
  },
  {
    what: 'so many at least',
    made: ['2025-01-01', '2025-01-02', '2025-01-03', '2025-01-04'],
    rule: { last: 1, min: 3 },
    kept: ['2025-01-02', '2025-01-03', '2025-01-04'],
  },
  {
    what: 'by version after the clock went back, and a day once though it comes twice',
    made: ['2025-01-09', '2025-01-10 01:00', '2025-01-09 23:00', '2025-01-10 02:00', '2025-01-11'],
    rule: { daily: 3 },
    kept: ['2025-01-09 23:00', '2025-01-10 02:00', '2025-01-11'],
  },
  {
    what: 'a clock that was a year behind for the newest: nothing goes by days',
    made: ['2025-01-01', '2025-01-02', '2024-01-03'],
    rule: { days: 7 },
    kept: ['2025-01-01', '2025-01-02', '2024-01-03'],
  },
  {
    what: 'a clock that was years ahead for one: the newest counts, and the odd one takes one place',
    made: ['2025-01-01', '2025-01-02', '2031-06-01', '2025-01-03', '2025-01-04'],
    rule: { days: 2, daily: 3 },
    kept: ['2031-06-01', '2025-01-03', '2025-01-04'],
  },
  {
    what: 'days of the time zone',
    // 00:30 and 23:30 of 2 January in Shanghai.
    made: ['2025-01-01 15:30', '2025-01-01 16:30', '2025-01-02 15:30'],
    rule: { daily: 2 },
    kept: ['2025-01-01 15:30', '2025-01-02 15:30'],
    timezone: 'Asia/Shanghai',
  },
  {
    what: 'a day of 25 hours once',
    made: ['2025-10-25 21:59', '2025-10-25 22:00', '2025-10-26 22:59', '2025-10-26 23:00'],
    rule: { daily: 2 },
    kept: ['2025-10-26 22:59', '2025-10-26 23:00'],
    timezone: 'Europe/Berlin',
  },
];

describe('the rule keeps', () => {
  it.each(CASES)('$what', ({ made, rule, kept, timezone }) => {
    expect(keptOf(backups(made), rule, timezone)).toEqual(kept);
  });

  it('everything where there is none', () => {
    expect(keptOf(backups(['2025-01-01', '2025-01-02']), undefined)).toEqual(['2025-01-01', '2025-01-02']);
  });

  it('what is marked', () => {
    const given = backups(['2025-01-01', '2025-01-02', '2025-01-03'], { '2025-01-01': { isMarked: true } });
    expect(keptOf(given, { last: 1 })).toEqual(['2025-01-01', '2025-01-03']);
  });

  it('what a kept one needs, and says by which', () => {
    const given = backups(['2025-01-01', '2025-01-02', '2025-01-03', '2025-01-04'], {
      '2025-01-02': { needs: [1, 2] },
      '2025-01-04': { needs: [1, 3, 4] },
    });
    const verdicts = judge(given, { last: 1, min: 1 }, 'UTC');
    expect(verdicts.map(({ backup, reasons, neededBy }) => [backup.name, reasons, neededBy])).toEqual([
      ['2025-01-04', ['last'], []],
      ['2025-01-03', ['needed'], [4]],
      ['2025-01-02', [], []],
      ['2025-01-01', ['needed'], [4]],
    ]);
  });

  it('as many whole ones as without those that are damaged', () => {
    const given = backups(['2025-01-01', '2025-01-02', '2025-01-03', '2025-01-04'], {
      '2025-01-03': { isDamaged: true },
      '2025-01-04': { isDamaged: true, isMarked: true },
    });
    expect(keptOf(given, { last: 2 })).toEqual(['2025-01-01', '2025-01-02', '2025-01-04']);
    // Nor do days count from one.
    const late = backups(['2025-01-01', '2025-03-01'], { '2025-03-01': { isDamaged: true } });
    expect(keptOf(late, { days: 7 })).toEqual(['2025-01-01']);
  });

  it('the newest, though an older one with a mark would be as many as min', () => {
    const given = backups(['2025-01-01', '2025-01-02'], { '2025-01-01': { isMarked: true } });
    expect(keptOf(given, { min: 1 })).toEqual(['2025-01-01', '2025-01-02']);
  });

  it('nothing of nothing', () => {
    expect(judge([], { last: 1, min: 3 }, 'UTC')).toEqual([]);
  });
});

const history = fc.array(
  fc.record({
    startedMs: fc.integer({ min: 0, max: 4_102_444_800_000 }),
    isMarked: fc.boolean(),
    isDamaged: fc.boolean(),
    needs: fc.array(fc.nat(20), { maxLength: 3 }),
  }),
  { maxLength: 20 },
);
const rule = fc.record(
  {
    last: fc.integer({ min: 1, max: 5 }),
    weekly: fc.integer({ min: 1, max: 5 }),
    days: fc.integer({ min: 1, max: 400 }),
  },
  { requiredKeys: [] },
);

describe('whatever the clock said, the rule', () => {
  it('keeps the marked, the least number, and every archive that is needed', () => {
    fc.assert(
      fc.property(history, rule, fc.integer({ min: 1, max: 5 }), (made, given, min) => {
        const all = made.map((each, index) => ({
          ...each,
          name: String(index + 1),
          version: index + 1,
          needs: [...each.needs.map((back) => index + 1 - back).filter((version) => version > 0), index + 1],
        }));
        const verdicts = judge(all, { ...given, min }, 'UTC');
        const kept = new Set(
          verdicts.filter(({ reasons }) => reasons.length > 0).map(({ backup }) => backup),
        );
        const whole = all.filter(({ isDamaged }) => !isDamaged);
        const versions = new Set([...kept].map(({ version }) => version));
        const missing = [
          ...all.filter((backup) => backup.isMarked && !kept.has(backup)),
          ...whole.slice(-1).filter((backup) => !kept.has(backup)),
          ...verdicts
            .filter(({ reasons }) => reasons.some((reason) => reason !== 'needed'))
            .flatMap(({ backup }) => backup.needs.filter((needed) => !versions.has(needed))),
        ];
        expect(missing).toEqual([]);
        expect(whole.filter((backup) => kept.has(backup)).length).toBeGreaterThanOrEqual(
          Math.min(min, whole.length),
        );
      }),
    );
  });
});

describe('nothing is removed', () => {
  const fine = {
    run: 'complete',
    isVerificationFailing: false,
    isShrunk: false,
    unreadable: 0,
    clockAheadMs: 0,
  } as const;

  it.each([
    ['after a run that is not complete', { run: 'incomplete' as const }, 'the run is not complete'],
    ['while a verification fails', { isVerificationFailing: true }, 'a verification has failed'],
    ['after a run of half the size', { isShrunk: true }, 'half of the one before'],
    ['while a manifest is unreadable', { unreadable: 2 }, "2 manifests can't be read"],
    ['with a clock 16 minutes ahead', { clockAheadMs: 960_000 }, '16 minutes ahead of'],
    ['with a clock 16 minutes behind', { clockAheadMs: -960_000 }, '16 minutes behind'],
  ])('%s', (_, change, told) => {
    expect(pruneBars({ ...fine, ...change })).toEqual([expect.stringContaining(told)]);
  });

  it('but else it is', () => {
    expect(pruneBars(fine)).toEqual([]);
    expect(pruneBars({ ...fine, clockAheadMs: -900_000 })).toEqual([]);
    expect(pruneBars({ ...fine, clockAheadMs: undefined })).toEqual([]);
    expect(pruneBars({ ...fine, run: undefined })).toEqual([]);
  });
});
