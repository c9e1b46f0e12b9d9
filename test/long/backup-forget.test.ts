import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../harness/random.ts';
import { ResticRepository, resticVersion } from '../../harness/restic-repository.ts';
import { lacks } from '../../harness/tools.ts';
import type { KeepRule } from '../../src/backup/job.ts';
import { judge } from '../../src/backup/rules/judge.ts';

const HISTORIES = Number(process.env['ISYNC_TEST_HISTORIES'] ?? 500);
/** Pauses between backups, in ms: from a minute to some months. */
const PAUSES = [60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 259_200_000, 2_592_000_000];
const COUNTS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

describe.skipIf(lacks('restic'))('the rule', () => {
  it(`keeps what "restic forget" keeps, in ${HISTORIES} histories`, () => {
    const [major, minor] = resticVersion();
    const keepsOldest = major > 0 || minor >= 16;
    let kept = 0;
    let judged = 0;
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const random = new Random(seed);
      const times = history(random);
      const rule = ruleOf(random);
      const folder = mkdtempSync(join(tmpdir(), 'isync-restic-'));
      try {
        const repository = new ResticRepository(folder);
        const ids = times.map((time) => repository.add(time));
        const theirs = repository.kept(optionsOf(rule)).toSorted();
        const verdicts = judge(
          times.map((startedMs, index) => ({
            name: ids[index]!,
            version: index + 1,
            startedMs,
            needs: [index + 1],
            isMarked: false,
            isDamaged: false,
          })),
          rule,
          'UTC',
        );
        const ours = verdicts
          .filter(({ reasons }) => reasons.some((reason) => keepsOldest || reason !== 'oldest'))
          .map(({ backup }) => backup.name)
          .toSorted();
        expect(ours, `seed ${seed}: ${JSON.stringify({ rule, times })}`).toEqual(theirs);
        // What an old restic does not keep is the oldest, and it alone.
        const onlyOldest = verdicts.filter(({ reasons }) => reasons.length === 1 && reasons[0] === 'oldest');
        expect(onlyOldest.every(({ backup }) => backup.version === 1)).toBe(true);
        kept += ours.length;
        judged += times.length;
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
    // Neither all nor nothing was kept: the histories say something.
    expect(kept / judged).toBeGreaterThan(0.1);
    expect(kept / judged).toBeLessThan(0.9);
  });
});

/** From the newest on backwards: restic counts days from none that is in the future. */
function history(random: Random): number[] {
  let time = Date.UTC(2025, 0, 1) - random.below(1000 * 86_400) * 1000;
  const pause = random.pick(PAUSES);
  const times = Array.from({ length: random.int(1, 40) }, () => {
    // Mostly so long, now and then much longer or shorter: the machine was off, somebody ran it by hand.
    const percent = random.chance(0.15) ? random.below(2000) : random.int(50, 150);
    time -= Math.max(1000, Math.floor((pause * percent) / 100_000) * 1000);
    return time;
  });
  return times.toReversed();
}

function ruleOf(random: Random): KeepRule {
  const rule: Record<string, number> = {};
  for (const name of COUNTS) if (random.chance(0.3)) rule[name] = random.int(1, 8);
  if (random.chance(0.3)) rule['days'] = random.int(1, 30);
  return Object.keys(rule).length === 0 ? { last: 3, min: 1 } : { ...rule, min: 1 };
}

function optionsOf(rule: KeepRule): string[] {
  const counts = COUNTS.flatMap((name) =>
    rule[name] === undefined ? [] : [`--keep-${name}`, String(rule[name])],
  );
  return rule.days === undefined ? counts : [...counts, '--keep-within', `${rule.days}d`];
}
