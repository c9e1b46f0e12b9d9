import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dutiesOf, openDaemonPlace } from '../../src/backup/daemon/duties.ts';
import { endedBy } from '../../src/cli/backup/duty-work.ts';
import type { BackupJob } from '../../src/backup/job.ts';
import type { RunRecord } from '../../src/backup/state/job-state.ts';
import { RecordingLog } from '../recording-log.ts';
import { RUN } from './run-record.ts';

const DAY_MS = 86_400_000;
const work = () => async () => 'done' as const;

let stateDir: string;
let log: RecordingLog;
let job: BackupJob;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2025-04-10T12:00Z') });
  stateDir = await mkdtemp(join(tmpdir(), 'isync-duties-'));
  log = new RecordingLog();
  job = {
    name: 'app',
    stateDir,
    timezone: 'UTC',
    jitterMs: 0,
    schedule: { kind: 'cron', pattern: '30 2 * * *' },
    verify: { schedule: { kind: 'cron', pattern: '0 5 * * 0' }, sampleBytes: undefined },
  } as unknown as BackupJob;
});
afterEach(async () => {
  vi.useRealTimers();
  await chmod(stateDir, 0o700);
  await rm(stateDir, { recursive: true, force: true });
});

/** What a daemon that starts at `at` finds due. */
async function dueAtStart(at: string, runs: readonly RunRecord[] = []): Promise<string[]> {
  vi.setSystemTime(at);
  using place = await openDaemonPlace(job, log);
  return dutiesOf({ job, runs, times: place.times, work }).flatMap(({ duty, timetable }) => {
    const due = timetable.look(Date.now());
    if (due === undefined) return [];
    timetable.ended(due, 'done', Date.now());
    return [`${duty} ${new Date(due.dueMs).toISOString()}`];
  });
}

describe('a daemon that starts', () => {
  it('catches up once what was missed since the last one, of runs and verifications', async () => {
    expect(await dueAtStart('2025-04-10T12:00Z')).toEqual([]);
    expect(await dueAtStart('2025-04-10T23:00Z')).toEqual([]);
    // The 13th is a Sunday.
    expect(await dueAtStart('2025-04-14T12:00Z')).toEqual([
      'run 2025-04-14T02:30:00.000Z',
      'verify 2025-04-13T05:00:00.000Z',
    ]);
    expect(await dueAtStart('2025-04-14T12:01Z')).toEqual([]);
  });

  it('counts a run by hand', async () => {
    await dueAtStart('2025-04-10T12:00Z');
    const run = { ...RUN, startedMs: Date.parse('2025-04-11T09:00Z') };
    expect(await dueAtStart('2025-04-11T12:00Z', [run])).toEqual([]);
    expect(await dueAtStart('2025-04-11T12:00Z', [{ ...run, stage: 'failed', backups: [] }])).toHaveLength(1);
  });

  it('begins a job of an interval at once where there was no run', async () => {
    job = { ...job, schedule: { kind: 'every', everyMs: DAY_MS } };
    expect(await dueAtStart('2025-04-10T12:00Z')).toEqual(['run 2025-04-10T12:00:00.000Z']);
    expect(await dueAtStart('2025-04-11T11:59Z')).toEqual([]);
  });

  it('finds its way where what it kept is damaged', async () => {
    await dueAtStart('2025-04-10T12:00Z');
    const path = join(stateDir, 'daemon', 'times.json');
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      run: Date.parse('2025-04-10T12:00Z'),
      verify: Date.parse('2025-04-10T12:00Z'),
    });
    await writeFile(path, '{"run": "yesterday"');
    const run = { ...RUN, startedMs: Date.parse('2025-04-10T02:30Z') };
    expect(await dueAtStart('2025-04-11T12:00Z', [run])).toEqual(['run 2025-04-11T02:30:00.000Z']);
  });

  it('keeps a second one out', async () => {
    using _ = await openDaemonPlace(job, log);
    await expect(openDaemonPlace(job, log)).rejects.toMatchObject({
      code: 'BUSY',
      message: 'another daemon looks after the job app already',
    });
  });
});

describe('what a run ended with', () => {
  it.each([
    ['0', { kind: 'exit', code: 0 }, undefined, 'done'],
    ['problems of files', { kind: 'exit', code: 1 }, undefined, 'done'],
    ['a store that was away, beside others', { kind: 'exit', code: 1 }, 'UNREACHABLE', 'passing'],
    ['a store that refuses, beside others', { kind: 'exit', code: 1 }, 'STORE_REFUSED', 'done'],
    ['wrong settings', { kind: 'exit', code: 2 }, undefined, 'done'],
    ['wrong credentials', { kind: 'exit', code: 3 }, 'STORE_REFUSED', 'done'],
    ['no network', { kind: 'exit', code: 4 }, 'UNREACHABLE', 'passing'],
    ['a full disk', { kind: 'exit', code: 5 }, 'STORE_FULL', 'passing'],
    ['a signal of a person', { kind: 'exit', code: 130 }, 'INTERRUPTED', 'done'],
    ['no memory', { kind: 'signal', name: 'SIGKILL' }, undefined, 'passing'],
    ['no process at all', { kind: 'not started', error: new Error('EAGAIN') }, undefined, 'passing'],
  ] as const)('%s', (_, end, error, ended) => {
    expect(endedBy(end, error)).toBe(ended);
  });
});
