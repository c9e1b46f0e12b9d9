import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobWatch } from '../../src/backup/daemon/job-watch.ts';
import type { BackupJob } from '../../src/backup/job.ts';
import type { JobState } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import type { Notice } from '../../src/notices/notice.ts';
import { type NoticeQueue, openNoticeQueue } from '../../src/notices/notice-queue.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { makeBackup } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';
import { RUN } from './run-record.ts';

const HOUR_MS = 3600_000;
const { signal } = new AbortController();

let stateDir: string;
let state: JobState;
let queue: NoticeQueue;
let store: MemoryTarget;
let watch: JobWatch;
let told: Notice[];
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: RUN.startedMs });
  stateDir = await mkdtemp(join(tmpdir(), 'isync-watch-'));
  state = await openJobState(stateDir);
  told = [];
  const on = new Set(['overdue', 'recovered'] as const);
  const rule = { name: 'a', on, way: { type: 'slack', url: 'http://x' } } as const;
  const notifiers = [{ rule, send: async (notice: Notice) => void told.push(notice) }];
  const log = new RecordingLog();
  queue = await openNoticeQueue({ stateDir, notifiers, log });
  store = new MemoryTarget({ name: '/mnt/usb' });
  const job = { name: 'app', maxAgeMs: 26 * HOUR_MS, to: [{ kind: 'folder', path: '/mnt/usb' }] };
  watch = new JobWatch({
    job: job as unknown as BackupJob,
    state,
    queue,
    openStores: async () => ({ targets: [store], [Symbol.asyncDispose]: async () => undefined }),
    log,
  });
});
afterEach(async () => {
  vi.useRealTimers();
  queue[Symbol.dispose]();
  state[Symbol.dispose]();
  await rm(stateDir, { recursive: true, force: true });
});

const lists = (): number => store.calls.filter((call) => call === 'list').length;

async function looked(atMs: number): Promise<string[]> {
  vi.setSystemTime(atMs);
  await watch.look(signal);
  await queue.flush(10_000);
  return told.splice(0).map(({ occasion }) => occasion);
}

describe('a daemon', () => {
  it('tells that the newest backup of the stores is too old, and when that is over', async () => {
    const { manifest } = await makeBackup({ target: store, members: [{ path: 'a' }] });
    const madeMs = manifest.startedMs;
    expect(await looked(madeMs + 25 * HOUR_MS)).toEqual([]);
    expect(watch.standing()).toMatchObject({ newestMs: madeMs, isOverdue: false });
    expect(await looked(madeMs + 27 * HOUR_MS)).toEqual(['overdue']);
    expect(await looked(madeMs + 28 * HOUR_MS)).toEqual([]);
    const change = { startedMs: madeMs + 29 * HOUR_MS };
    await makeBackup({ target: store, members: [{ path: 'a' }], version: 2, change });
    expect(await looked(madeMs + 30 * HOUR_MS)).toEqual(['recovered']);
  });

  it('does not count a backup whose archive is gone', async () => {
    const { manifest } = await makeBackup({ target: store, members: [{ path: 'a' }] });
    store.objects.delete(manifest.archive.key);
    await looked(manifest.startedMs);
    expect(watch.standing().newestMs).toBeUndefined();
  });

  it('lists a store when a run has ended, and once an hour', async () => {
    await looked(RUN.startedMs);
    await looked(RUN.startedMs + 60_000);
    expect(lists()).toBe(1);
    state.runs.begin(RUN);
    state.runs.update(RUN.id, RUN);
    await looked(RUN.startedMs + 120_000);
    await looked(RUN.startedMs + 180_000);
    expect(lists()).toBe(2);
    await looked(RUN.startedMs + 120_000 + HOUR_MS);
    expect(lists()).toBe(3);
  });

  it('takes the last good run for the newest backup while a store is away, and asks again', async () => {
    state.runs.begin(RUN);
    state.runs.update(RUN.id, RUN);
    store.before = () => {
      throw new IsyncError('STORE_MISSING', 'not mounted');
    };
    expect(await looked(RUN.startedMs + HOUR_MS)).toEqual([]);
    expect(watch.standing()).toMatchObject({ newestMs: RUN.startedMs, isOverdue: false });
    expect(await looked(RUN.startedMs + 27 * HOUR_MS)).toEqual(['overdue']);
    expect(watch.standing().isOverdue).toBe(true);
    store.before = () => undefined;
    const change = { startedMs: RUN.startedMs + 2 * HOUR_MS };
    await makeBackup({ target: store, members: [{ path: 'a' }], change });
    expect(await looked(RUN.startedMs + 27.1 * HOUR_MS)).toEqual(['recovered']);
    expect(watch.standing().newestMs).toBe(change.startedMs);
  });
});
