import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobState, VerificationRecord } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { jobStanding, type StandingSources } from '../../src/backup/status/job-standing.ts';
import { JobNotices } from '../../src/backup/tell/job-notices.ts';
import { type NoticeQueue, openNoticeQueue } from '../../src/notices/notice-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { RUN } from './run-record.ts';

const HOUR_MS = 3600_000;
const NOW_MS = RUN.startedMs + 30 * HOUR_MS;
const FOUND: VerificationRecord = { atMs: NOW_MS, depth: 'deep', fault: undefined, readTo: 0 };

let stateDir: string;
let state: JobState;
let queue: NoticeQueue;
let sources: StandingSources;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'isync-standing-'));
  state = await openJobState(stateDir);
  queue = await openNoticeQueue({ stateDir, notifiers: [], log: new RecordingLog(), now: () => NOW_MS });
  const job = { name: 'app', maxAgeMs: 26 * HOUR_MS };
  const notices = new JobNotices(job, queue);
  sources = { job, state, queue, notices, nowMs: NOW_MS, backups: new Map() };
});
afterEach(async () => {
  queue[Symbol.dispose]();
  state[Symbol.dispose]();
  await rm(stateDir, { recursive: true, force: true });
});

describe('how a job stands', () => {
  it('is nothing while it has not run', () => {
    expect(jobStanding(sources)).toEqual({
      job: 'app',
      runs: [],
      newestMs: undefined,
      verifiedMs: new Map(),
      faults: new Map(),
      maxAgeMs: 26 * HOUR_MS,
      isOverdue: false,
      notices: new Map(),
    });
  });

  it('is by its newest backup of any store, by version, that no verification found wrong', () => {
    const backups = new Map([
      ['usb', [{ version: 1, startedMs: NOW_MS - 40 * HOUR_MS }]],
      [
        's3',
        [
          // Made while the clock was a day ahead.
          { version: 2, startedMs: NOW_MS - 3 * HOUR_MS },
          { version: 3, startedMs: NOW_MS - 27 * HOUR_MS },
          { version: 4, startedMs: NOW_MS - HOUR_MS },
        ],
      ],
    ]);
    expect(jobStanding({ ...sources, backups })).toMatchObject({
      newestMs: NOW_MS - HOUR_MS,
      isOverdue: false,
    });
    state.targets.setVerification('s3', 4, { ...FOUND, fault: 'it is cut' });
    const standing = jobStanding({ ...sources, backups });
    expect(standing).toMatchObject({ newestMs: NOW_MS - 27 * HOUR_MS, isOverdue: true });
  });

  it('tells of each store the newest backup that was read back', () => {
    const times = [1, 2, 3, 4].map((version) => ({ version, startedMs: version * 1000 }));
    const backups = new Map([
      ['s3', times],
      ['usb', times],
    ]);
    state.targets.setVerification('s3', 1, { ...FOUND, depth: 'sample' });
    state.targets.setVerification('s3', 2, FOUND);
    state.targets.setVerification('s3', 3, { ...FOUND, depth: 'shallow' });
    state.targets.setVerification('s3', 4, { ...FOUND, fault: 'it is cut' });
    expect(jobStanding({ ...sources, backups }).verifiedMs).toEqual(new Map([['s3', 2000]]));
  });

  it('has its runs, the newest first', () => {
    state.runs.begin(RUN);
    state.runs.begin({ ...RUN, id: 'second' });
    expect(jobStanding(sources).runs.map(({ id }) => id)).toEqual(['second', RUN.id]);
  });
});
