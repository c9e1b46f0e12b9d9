import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/backup/state/job-state.ts';
import { JobNotices } from '../../src/backup/tell/job-notices.ts';
import type { Notice } from '../../src/notices/notice.ts';
import { openNoticeQueue } from '../../src/notices/notice-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { RUN } from './run-record.ts';

const HOUR_MS = 3600_000;
const ALL = ['start', 'success', 'problems', 'failure', 'overdue', 'recovered', 'verified'] as const;
const FAILED: RunRecord = {
  ...RUN,
  stage: 'failed',
  backups: [],
  error: { code: 'STORE_REFUSED', message: 'AccessDenied\n\u001b[31mred' },
};

let stateDir: string;
let nowMs: number;
let told: Notice[];
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'isync-notices-'));
  nowMs = RUN.startedMs;
  told = [];
});
afterEach(async () => await rm(stateDir, { recursive: true, force: true }));

/** One process that tells something. */
async function telling(tell: (notices: JobNotices) => void, maxAgeMs: number | undefined = 26 * HOUR_MS) {
  const rule = { name: 'a', on: new Set(ALL), way: { type: 'slack', url: 'http://x' } } as const;
  const notifier = { rule, send: async (notice: Notice) => void told.push(notice) };
  using queue = await openNoticeQueue({
    stateDir,
    notifiers: [notifier],
    log: new RecordingLog(),
    now: () => nowMs,
  });
  tell(new JobNotices({ name: 'app', maxAgeMs }, queue));
  await queue.flush(10_000);
  return told.splice(0).map(({ occasion }) => occasion);
}

describe('people are told', () => {
  it('of a run, and what it was, in one line each', async () => {
    expect(await telling((notices) => notices.started(RUN))).toEqual(['start']);
    const tell = (notice: Notice) => void told.push(notice);
    new JobNotices(
      { name: 'app', maxAgeMs: undefined },
      { tell, since: () => undefined, set: () => false },
    ).ended(FAILED, 's3://bucket');
    expect(told[0]).toMatchObject({
      title: 'isync app: backup has failed (STORE_REFUSED)',
      sameness: 'failure STORE_REFUSED s3://bucket',
      fields: { code: 'STORE_REFUSED', error: 'AccessDenied [31mred', duration: '2m05s', seconds: '125' },
    });
    expect(told[0]?.lines).toContain('Error: AccessDenied [31mred');
  });

  it('of a run that fails, and once of the first that is complete again', async () => {
    expect(await telling((notices) => notices.ended(FAILED))).toEqual(['failure']);
    expect(await telling((notices) => notices.ended({ ...RUN, stage: 'problems' }))).toEqual(['problems']);
    expect(await telling((notices) => notices.ended(RUN))).toEqual(['success', 'recovered']);
    expect(await telling((notices) => notices.ended(RUN))).toEqual(['success']);
  });

  it('of nothing when a run is interrupted', async () => {
    expect(await telling((notices) => notices.ended({ ...RUN, stage: 'interrupted' }))).toEqual([]);
  });

  it('when the newest backup is older than it may be, each 6 h, and once when that is over', async () => {
    const newestMs = nowMs;
    const seen: string[] = [];
    for (let hour = 0; hour <= 40; hour++, nowMs += HOUR_MS)
      for (const occasion of await telling((notices) => notices.looked({ newestMs, nowMs })))
        seen.push(`${hour} ${occasion}`);
    expect(seen).toEqual(['27 overdue', '33 overdue', '39 overdue']);
    expect(await telling((notices) => notices.looked({ newestMs: nowMs, nowMs }))).toEqual(['recovered']);
    expect(await telling((notices) => notices.looked({ newestMs: nowMs, nowMs }))).toEqual([]);
  });

  it('where there never was a backup, from the first look on', async () => {
    const look = async () => await telling((notices) => notices.looked({ newestMs: undefined, nowMs }));
    expect(await look()).toEqual([]);
    nowMs += 26 * HOUR_MS;
    expect(await look()).toEqual([]);
    nowMs += 1000;
    expect(await look()).toEqual(['overdue']);
  });

  it('of no age where the config names none', async () => {
    const notices = new JobNotices(
      { name: 'app', maxAgeMs: undefined },
      { tell: () => expect.unreachable(), since: () => undefined, set: () => expect.unreachable() },
    );
    notices.looked({ newestMs: 0, nowMs });
    expect(notices.ageOf({ newestMs: 0, nowMs })).toBeUndefined();
  });

  it('once that all is well after it both failed and was overdue', async () => {
    await telling((notices) => notices.ended(FAILED));
    nowMs += 30 * HOUR_MS;
    const newestMs = RUN.startedMs;
    expect(await telling((notices) => notices.looked({ newestMs, nowMs }))).toEqual(['overdue']);
    expect(
      await telling((notices) => {
        notices.ended({ ...RUN, startedMs: nowMs, endedMs: nowMs });
        notices.looked({ newestMs: nowMs, nowMs });
      }),
    ).toEqual(['success', 'recovered']);
  });

  it('of a backup that does not read back as of a failure', async () => {
    const found = { target: '/mnt/usb', backup: 'b', atMs: nowMs, depth: 'deep' } as const;
    expect(await telling((notices) => notices.verified({ ...found, fault: undefined }))).toEqual([
      'verified',
    ]);
    expect(await telling((notices) => notices.verified({ ...found, fault: 'archive is cut' }))).toEqual([
      'failure',
    ]);
    expect(await telling((notices) => notices.ended(RUN))).toEqual(['success', 'recovered']);
  });
});
