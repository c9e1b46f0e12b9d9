import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { interruptedRun } from '../../src/backup/run/resume.ts';
import { noteDeath } from '../../src/backup/daemon/note-death.ts';
import type { BackupJob } from '../../src/backup/job.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import type { RunRecord } from '../../src/backup/state/job-state.ts';
import { takeRunLock } from '../../src/backup/state/run-lock.ts';
import { doDuty } from '../../src/cli/backup/duty-work.ts';
import { until } from '../../harness/process.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { RUN } from './run-record.ts';

const DUE = { dueMs: Date.UTC(2025, 3, 10), isCatchUp: false };
const [, main] = process.argv;
let stateDir: string;
beforeEach(() => {
  stateDir = temporaryFolder();
});
afterEach(() => {
  process.argv[1] = main ?? '';
});

/** Does the duty of a run whose process is `program`. Resolves to what it is for the schedule, and to what people are told. */
async function done(program: string, duty: 'run' | 'verify' = 'run') {
  const path = join(stateDir, 'program.mjs');
  writeFileSync(path, program);
  process.argv[1] = path;
  using state = await openJobState(stateDir);
  const told: RunRecord[] = [];
  const ended = await doDuty(duty, DUE, {
    job: { name: 'app', stateDir } as BackupJob,
    runs: state.runs,
    notices: { ended: (run) => void told.push(run) },
    log: new RecordingLog(),
    child: {
      config: { stateDir, logLevel: 'silent', logFormat: 'json', stats: 0 },
      configFile: join(stateDir, 'none'),
    },
    changed: () => {},
    signal: new AbortController().signal,
  });
  return { ended, told, runs: state.runs.list() };
}

describe('a run whose process ends without a word', () => {
  it.each([
    ['process.exitCode = 2', 'done', 'CONFIG_INVALID', 'ended with exit code 2 before it could begin'],
    ['process.exitCode = 4', 'passing', 'UNREACHABLE', 'ended with exit code 4'],
    ['throw new Error("a fault of ours")', 'done', 'INTERNAL', 'ended with exit code 1'],
    ['process.kill(process.pid, "SIGKILL")', 'passing', 'INTERNAL', 'was ended by SIGKILL'],
  ])('has failed, and people hear of it: %s', async (program, ended, code, message) => {
    const found = await done(program);
    expect(found.ended).toBe(ended);
    const failed = { stage: 'failed', error: { code, message: expect.stringContaining(message) } };
    expect(found.told).toMatchObject([failed]);
    expect(found.runs).toMatchObject([{ ...failed, trigger: 'schedule', endedMs: expect.any(Number) }]);
  });

  it('leaves what it had begun to the next one', async () => {
    using state = await openJobState(stateDir);
    state.runs.begin({ ...RUN, startedMs: Date.now() - 1000 });
    const { runs } = await done('process.kill(process.pid, "SIGKILL")');
    expect(runs).toMatchObject([{ stage: 'failed' }, { id: RUN.id, stage: 'interrupted' }]);
    const pack = { run: RUN.id, startedMs: Date.now() } as Parameters<typeof interruptedRun>[1][number];
    expect(interruptedRun(runs, [pack], Date.now())?.id).toBe(RUN.id);
  });

  it('is told, but does not take the place of one that somebody has begun since', async () => {
    const [begun, locked] = [join(stateDir, 'begun'), join(stateDir, 'locked')];
    const ending = done(`
      import { existsSync, writeFileSync } from 'node:fs';
      writeFileSync(${JSON.stringify(begun)}, '');
      while (!existsSync(${JSON.stringify(locked)})) await new Promise((resolve) => setTimeout(resolve, 5));
      process.exitCode = 2;`);
    await until('the process', () => existsSync(begun));
    using _ = await takeRunLock(stateDir);
    writeFileSync(locked, '');
    const { told, runs } = await ending;
    expect(told).toHaveLength(1);
    expect(runs).toEqual([]);
  });
});

it.each([
  ['ends well', 'process.exitCode = 0', 'run'],
  ['is stopped by a person', 'process.exitCode = 130', 'run'],
  ['verifies', 'process.exitCode = 2', 'verify'],
] as const)('nothing is noted of one that %s', async (_, program, duty) => {
  expect(await done(program, duty)).toMatchObject({ ended: 'done', told: [], runs: [] });
});

it('people hear of it also where the state fails', async () => {
  const told: RunRecord[] = [];
  const runs = {
    list: () => [],
    begin: () => {
      throw new IsyncError('STORE_FULL', 'no room');
    },
    update: () => {},
  };
  const death = { trigger: 'schedule', error: { code: 'INTERNAL', message: 'killed' } } as const;
  const noted = noteDeath({ job: { stateDir }, runs, notices: { ended: (run) => told.push(run) } }, death, 0);
  await expect(noted).rejects.toMatchObject({ code: 'STORE_FULL' });
  expect(told).toMatchObject([{ stage: 'failed', error: death.error }]);
});
