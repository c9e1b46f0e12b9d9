import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { chainFault } from '../../src/backup/catalogue/chain-fault.ts';
import { setMark } from '../../src/backup/catalogue/marks.ts';
import { judgedOf, standingsOf } from '../../src/backup/catalogue/standing.ts';
import { judge } from '../../src/backup/rules/judge.ts';
import { keysOf } from '../../src/backup/prune/remove-backups.ts';
import { contextOf } from '../backup/restoring.ts';
import { restoreOne } from '../../src/backup/restore/restore-one.ts';
import { PruneStage } from '../backup/pruning.ts';
import { tmpdir } from 'node:os';

const HISTORIES = Number(process.env['ISYNC_TEST_PRUNE_HISTORIES'] ?? 8);
const DAY_MS = 86_400_000;

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('full'), days: fc.integer({ min: -40, max: 60 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('incremental'), days: fc.integer({ min: -3, max: 10 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mark'), days: fc.nat(10) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('prune'), days: fc.nat(25) }) },
);
const rule = fc.record(
  {
    last: fc.integer({ min: 1, max: 3 }),
    daily: fc.integer({ min: 1, max: 4 }),
    monthly: fc.integer({ min: 1, max: 3 }),
    days: fc.integer({ min: 1, max: 60 }),
  },
  { requiredKeys: [] },
);

it('nothing that the rule keeps, or that is needed, is gone in any history of runs, kills and prunes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 14 }),
      rule,
      fc.integer({ min: 1, max: 3 }),
      async (steps, keep, min) => {
        const stage = await PruneStage.start();
        let timeMs = Date.UTC(2025, 0, 1);
        let version = 0;
        for (const { kind, days } of [...steps, { kind: 'prune', days: 99 }]) {
          timeMs += days * DAY_MS;
          const there = stage.versions;
          if (kind === 'full' || kind === 'incremental') {
            const base = kind === 'full' ? undefined : there.at(-1);
            await stage.make(++version, base, { startedMs: timeMs });
          } else if (kind === 'mark') {
            const marked = there[days % Math.max(1, there.length)];
            if (marked === undefined) continue;
            const mark = { reason: 'r', markedMs: 1, by: 'x' };
            await setMark(stage.target, { name: stage.nameOf(marked), version: marked }, mark, stage);
          } else await pruneAndLook(stage, { ...keep, min }, days);
        }
        expect(stage.state.targets.removals('memory').size).toBe(0);
      },
    ),
    { numRuns: HISTORIES },
  );
});

/** Killed after some calls, and then to its end. */
async function pruneAndLook(
  stage: PruneStage,
  keep: Parameters<PruneStage['prune']>[0] & { readonly min: number },
  calls: number,
): Promise<void> {
  const before = await stage.catalogue();
  const judged = judgedOf(standingsOf(before, 'memory', stage.state.targets));
  const kept = judge(judged, keep, 'UTC')
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ backup }) => backup.version)
    .toSorted((a, b) => a - b);
  let left = calls;
  stage.target.before = () => {
    if (left-- === 0) throw new Error('killed');
  };
  await stage.prune(keep, { catalogue: before }).catch(() => undefined);
  stage.target.before = () => undefined;
  await stage.prune(keep);
  expect(stage.versions).toEqual(kept);
  const { backups, objects, unreadable } = await stage.catalogue();
  expect(unreadable).toEqual([]);
  for (const { manifest } of backups) {
    expect(chainFault({ backups, objects }, manifest)).toBeUndefined();
    const { path } = stage.made.get(manifest.version)!.records[0]!;
    const pieces: Uint8Array[] = [];
    for await (const piece of restoreOne(contextOf(stage.target), manifest, path, tmpdir()))
      pieces.push(Uint8Array.from(piece));
    expect(Buffer.concat(pieces).toString()).toBe(path.repeat(50));
  }
  const named = new Set(backups.flatMap(({ manifest }) => keysOf(manifest)));
  expect([...objects.keys()].filter((key) => !named.has(key))).toEqual([]);
}
