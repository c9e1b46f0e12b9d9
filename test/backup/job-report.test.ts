import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { jobReport, type JobReport } from '../../src/backup/status/job-report.ts';
import { MAX_RESUME_AGE_MS } from '../../src/backup/run/resume.ts';
import { reportLines } from '../../src/cli/backup/report-text.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MemoryTarget } from './memory-target.ts';
import { RunStage } from './run-stage.ts';

const HOUR_MS = 3_600_000;

async function reported(
  stage: RunStage,
  more: Parameters<RunStage['job']>[0] = {},
  inMs = 0,
  targets = ['memory'],
): Promise<JobReport> {
  const job = stage.job(more);
  using state = await openJobState(job.stateDir);
  return jobReport({ job, targets, state, nowMs: Date.now() + inMs });
}

it('tells of a job that has never run', () => {
  const job = new RunStage().job();
  const report = jobReport({ job, targets: ['memory'], state: undefined, nowMs: 0 });
  expect(report.problems).toEqual(['it has never run on this machine']);
  expect(report.targets).toEqual([{ target: 'memory', newest: undefined }]);
});

it('tells the newest backup of each target, and when the next one is due', async () => {
  const stage = new RunStage();
  await stage.ran(new MemoryTarget());
  const newest = await stage.ran(new MemoryTarget({ name: 'other' }));
  const report = await reported(stage, { schedule: { kind: 'every', everyMs: HOUR_MS } }, 0, [
    'memory',
    'other',
  ]);
  expect(report.targets.map((each) => each.newest?.version)).toEqual([1, newest.version]);
  expect(report.problems).toEqual([]);
  expect(report.nextDueMs! - report.lastRun!.startedMs).toBe(HOUR_MS);
});

it('needs a person where a run has failed, a backup is too old, or a target has none', async () => {
  const stage = new RunStage();
  await stage.ran(new MemoryTarget());
  expect((await reported(stage, { maxAgeMs: HOUR_MS }, 2 * HOUR_MS)).problems).toEqual([
    'the newest backup at memory is older than "maxAge" allows',
  ]);
  expect((await reported(stage, {}, 0, ['memory', 'other'])).problems).toEqual([
    'no backup is known at other',
  ]);
  await stage.run([new MemoryTarget()], { job: stage.job({ before: [join(stage.root, 'nothing')] }) });
  expect((await reported(stage)).problems[0]).toMatch(
    /^the last run has failed: "before" of the job .*\[SOURCE_FAILED\]$/,
  );
});

it('needs a person where a backup of half the size keeps a target from being pruned, until one has looked', async () => {
  const stage = new RunStage();
  const [memory, other] = [new MemoryTarget(), new MemoryTarget({ name: 'other' })];
  await stage.run([memory, other]);
  rmSync(join(stage.data, 'b'));
  const shrunk = (await stage.run([memory, other])).backups[0]!.manifest;
  // A newer one that is as large does not take it back.
  await stage.run([memory, other]);
  const why = (target: string): string =>
    `${shrunk.name} is half of the one before or less: nothing is pruned at ${target} until "isync backup prune --agree" has been run on this machine`;
  const targets = ['memory', 'other'];
  expect((await reported(stage, {}, 0, targets)).problems).toEqual(targets.map(why));
  using state = await openJobState(stage.job().stateDir);
  state.targets.agree('memory', shrunk.version + 1);
  expect((await reported(stage, {}, 0, targets)).problems).toEqual([why('other')]);
});

it('tells what the next run goes on with, for a day', async () => {
  const stage = new RunStage();
  const target = new MemoryTarget();
  target.before = (call) => {
    if (call.startsWith('complete')) throw new IsyncError('STORE_REFUSED', 'expired');
  };
  await stage.run([target]);
  const report = await reported(stage);
  expect(report.resumable).toMatchObject([{ targets: ['memory'], isOverflowed: false }]);
  const anew = { ...report, resumable: report.resumable.map((pack) => ({ ...pack, packed: undefined })) };
  const told = [report, anew].map((each) =>
    reportLines(each, Date.now()).join().includes('from its beginning'),
  );
  expect(told).toEqual([false, true]);
  expect((await reported(stage, {}, MAX_RESUME_AGE_MS + HOUR_MS)).resumable).toEqual([]);
});
