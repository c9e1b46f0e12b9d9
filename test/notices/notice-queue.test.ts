import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NotifyRule, Occasion } from '../../src/notices/rule.ts';
import type { Notice, Notifier } from '../../src/notices/notice.ts';
import { MAX_QUEUED, NoticeStore, SAME_FAILURE_MS } from '../../src/notices/notice-store.ts';
import { type NoticeQueue, openNoticeQueue } from '../../src/notices/notice-queue.ts';
import { runNotice } from '../../src/backup/tell/notices-of.ts';
import { RecordingLog } from '../recording-log.ts';
import { RUN } from '../backup/run-record.ts';

const HOUR_MS = 3600_000;
const FAILURE = runNotice(
  'app',
  { ...RUN, stage: 'failed', error: { code: 'SOURCE_FAILED', message: 'empty' } },
  'failure',
);

let stateDir: string;
let nowMs = RUN.startedMs;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'isync-notices-'));
  nowMs = RUN.startedMs;
});
afterEach(async () => await rm(stateDir, { recursive: true, force: true }));

/** A way that keeps what it was told, and may fail. */
class Listener implements Notifier {
  readonly rule: NotifyRule;
  readonly told: Notice[] = [];
  tries = 0;
  fails = false;

  constructor(on: readonly Occasion[] = ['failure'], type: 'slack' | 'ping' = 'slack', at = 0) {
    this.rule = { name: `notify[${at}] ${type}`, on: new Set(on), way: { type, url: 'http://x' } };
  }

  readonly send: Notifier['send'] = async (notice) => {
    this.tries += 1;
    if (this.fails) throw new Error('down');
    this.told.push(notice);
  };
}

async function opened(...notifiers: readonly Notifier[]): Promise<NoticeQueue> {
  return await openNoticeQueue({ stateDir, notifiers, log: new RecordingLog(), now: () => nowMs });
}

describe('notices', () => {
  it('go to whom the config names for the occasion', async () => {
    const some = new Listener();
    const others = new Listener(['success'], 'slack', 1);
    using queue = await opened(some, others);
    queue.tell(FAILURE);
    await queue.flush(10_000);
    expect(some.told).toEqual([FAILURE]);
    expect(others.told).toEqual([]);
    expect(queue.counts().get(some.rule.name)).toEqual({ waiting: 0, sent: 1, lost: 0 });
  });

  it('are told by the next process where this one dies', async () => {
    const listener = new Listener();
    {
      using queue = await opened(listener);
      queue.tell(FAILURE);
    }
    using queue = await opened(listener);
    await queue.flush(10_000);
    await queue.flush(10_000);
    expect(listener.told).toEqual([FAILURE]);
  });

  it('outlive a process that is killed as soon as it has told', async () => {
    const listener = new Listener();
    const { href } = new URL('../../src/notices/notice-queue.ts', import.meta.url);
    const script = `
      const { openNoticeQueue } = await import(${JSON.stringify(href)});
      const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
      const rule = { name: ${JSON.stringify(listener.rule.name)}, on: new Set(['failure']), way: { type: 'slack' } };
      const queue = await openNoticeQueue({ stateDir: ${JSON.stringify(stateDir)}, notifiers: [{ rule }], log, now: () => ${nowMs} });
      queue.tell(${JSON.stringify(FAILURE)});
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    using queue = await opened(listener);
    await queue.flush(30_000);
    expect(listener.told).toEqual([FAILURE]);
  });

  it('are tried three times, further and further apart, and then given up', async () => {
    const listener = new Listener();
    listener.fails = true;
    using queue = await opened(listener);
    queue.tell(FAILURE);
    const tries: number[] = [];
    for (let minute = 0; minute < 60; minute++, nowMs += 60_000) {
      await queue.flush(10_000);
      tries.push(listener.tries);
    }
    expect([tries[0], tries[1], tries[15], tries[16], tries[59]]).toEqual([1, 2, 2, 3, 3]);
    expect(queue.counts().get(listener.rule.name)).toEqual({ waiting: 0, sent: 0, lost: 1 });
    // Nobody was told, so the same is told at once.
    listener.fails = false;
    queue.tell(FAILURE);
    await queue.flush(10_000);
    expect(listener.told).toHaveLength(1);
  });

  it('of the same failure are told every 6 h, also by another process, and with a clock that was set back', async () => {
    const listener = new Listener();
    const other = { ...FAILURE, sameness: 'failure STORE_FULL' };
    for (let hour = 0; hour <= 12; hour++, nowMs += HOUR_MS) {
      using queue = await opened(listener);
      queue.tell(FAILURE);
      if (hour === 1) queue.tell(other);
      await queue.flush(10_000);
    }
    expect(listener.told.map(({ sameness }) => sameness)).toEqual([
      FAILURE.sameness,
      other.sameness,
      FAILURE.sameness,
      FAILURE.sameness,
    ]);
    nowMs -= 24 * HOUR_MS;
    using queue = await opened(listener);
    queue.tell(FAILURE);
    await queue.flush(10_000);
    expect(listener.told).toHaveLength(5);
    expect(SAME_FAILURE_MS).toBe(6 * HOUR_MS);
  });

  it('reach a monitor each time', async () => {
    const listener = new Listener(['failure'], 'ping');
    using queue = await opened(listener);
    for (let time = 0; time < 3; time++) queue.tell(FAILURE);
    await queue.flush(10_000);
    expect(listener.told).toHaveLength(3);
  });

  it('of one run keep their order, and hold those of others not back', async () => {
    const listener = new Listener(['start', 'success']);
    listener.fails = true;
    using queue = await opened(listener);
    queue.tell(runNotice('app', RUN, 'start'));
    await queue.flush(10_000);
    queue.tell(runNotice('app', RUN, 'success'));
    queue.tell(runNotice('app', { ...RUN, id: 'other' }, 'success'));
    listener.fails = false;
    await queue.flush(10_000);
    expect(listener.told.map(({ run }) => run)).toEqual(['other']);
    nowMs += 60_000;
    await queue.flush(10_000);
    expect(listener.told.map(({ run, occasion }) => `${run === RUN.id} ${occasion}`)).toEqual([
      'false success',
      'true start',
      'true success',
    ]);
  });

  it('are sent by one process at a time', async () => {
    const listener = new Listener();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const slow: Notifier = {
      rule: listener.rule,
      send: async (notice, signal) => {
        take();
        await answered;
        await listener.send(notice, signal);
      },
    };
    using first = await opened(slow);
    using second = await opened(listener);
    first.tell(FAILURE);
    const sending = first.flush(10_000);
    await taken;
    await second.flush(10_000);
    expect(listener.tries).toBe(0);
    answer();
    await sending;
    await second.flush(10_000);
    expect(listener.told).toHaveLength(1);
  });

  it('of a process that died while it sent are due again, also where its clock was ahead', async () => {
    for (const aheadMs of [0, 10 * 365 * 24 * HOUR_MS]) {
      const path = join(stateDir, `${aheadMs}.db`);
      using store = await NoticeStore.open(path);
      const long = { claimMs: 60_000, longestMs: 900_000 };
      store.add('rule', FAILURE, undefined, nowMs + aheadMs);
      expect(store.take('rule', nowMs + aheadMs, long)).toMatchObject({ tries: 1 });
      expect(store.take('rule', nowMs + aheadMs + 1, long)).toBeUndefined();
      const laterMs = nowMs + (aheadMs === 0 ? 60_001 : 0);
      expect(store.take('rule', laterMs, long)).toMatchObject({ tries: 2, notice: FAILURE });
    }
  });

  it('that are too many are dropped, the oldest first', async () => {
    const listener = new Listener();
    using queue = await opened(listener);
    for (let number = 0; number < MAX_QUEUED + 3; number++)
      queue.tell({ ...FAILURE, run: `run-${number}`, sameness: undefined });
    expect(queue.counts().get(listener.rule.name)).toEqual({ waiting: MAX_QUEUED, sent: 0, lost: 3 });
    await queue.flush(60_000);
    expect(listener.told[0]?.run).toBe('run-3');
  });

  it('for a rule that the config has no more are dropped', async () => {
    {
      using queue = await opened(new Listener(['failure'], 'slack', 7));
      queue.tell(FAILURE);
    }
    using queue = await opened(new Listener());
    expect(queue.counts().size).toBe(1);
    using store = await NoticeStore.open(join(stateDir, 'notices.db'));
    expect(store.counts('notify[7] slack')).toEqual({ waiting: 0, sent: 0, lost: 0 });
  });

  it('harm nothing where their file is damaged: they are kept in memory', async () => {
    await writeFile(
      join(stateDir, 'notices.db'),
      'no database, and long enough to be read as one'.repeat(100),
    );
    const listener = new Listener();
    using queue = await opened(listener);
    queue.tell(FAILURE);
    await queue.flush(10_000);
    expect(listener.told).toEqual([FAILURE]);
  });

  it('are told from memory while the disk does not take them', async () => {
    const listener = new Listener();
    using queue = await opened(listener);
    using holder = new DatabaseSync(join(stateDir, 'notices.db'));
    holder.exec('BEGIN IMMEDIATE');
    queue.tell(FAILURE);
    expect(queue.set('failing', 5)).toBe(true);
    expect(queue.set('failing', 7)).toBe(false);
    expect(queue.since('failing')).toBe(5);
    await queue.flush(30_000);
    expect(listener.told).toEqual([FAILURE]);
    holder.exec('ROLLBACK');
    expect(queue.set('failing', undefined)).toBe(true);
    expect(queue.since('failing')).toBeUndefined();
    queue.tell({ ...FAILURE, sameness: 'another' });
    await queue.flush(30_000);
    expect(listener.told).toHaveLength(2);
    expect(queue.counts().get(listener.rule.name)).toEqual({ waiting: 0, sent: 2, lost: 0 });
  });

  it('that nobody answers end with their time, and delay no other', async () => {
    const listener = new Listener(['failure'], 'slack', 1);
    const silent: Notifier = {
      rule: new Listener().rule,
      send: async (_, signal) =>
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    };
    using queue = await openNoticeQueue({
      stateDir,
      notifiers: [silent, listener],
      log: new RecordingLog(),
      now: () => nowMs,
      tryMs: 50,
    });
    const stopping = new AbortController();
    const delivering = queue.deliver(stopping.signal);
    queue.tell(FAILURE);
    await expect.poll(() => listener.told.length, { timeout: 20_000 }).toBe(1);
    stopping.abort();
    await delivering;
    expect(queue.counts().get(silent.rule.name)).toMatchObject({ waiting: 1, sent: 0 });
  });

  it('that were being sent when the process ends have not lost a try', async () => {
    const listener = new Listener();
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    const stopping = new AbortController();
    const hanging: Notifier = {
      rule: listener.rule,
      send: async (_, signal) => {
        take();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    };
    {
      using queue = await opened(hanging);
      queue.tell(FAILURE);
      const delivering = queue.deliver(stopping.signal);
      await taken;
      stopping.abort();
      await delivering;
    }
    using store = await NoticeStore.open(join(stateDir, 'notices.db'));
    const again = store.take(listener.rule.name, nowMs, { claimMs: 60_000, longestMs: 900_000 });
    expect(again).toMatchObject({ tries: 1, notice: FAILURE });
  });
});
