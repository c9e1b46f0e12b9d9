import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { ProblemHook } from '../../src/cli/hooks/problem-hook.ts';
import { SealHook } from '../../src/cli/hooks/seal-hook.ts';
import type { Notice } from '../../src/notices/notice.ts';
import { openNoticeQueue } from '../../src/notices/notice-queue.ts';
import { Alarms } from '../../src/observe/status/alarms.ts';
import { RecordingLog } from '../recording-log.ts';
import { temporaryFolder } from './temporary-folder.ts';

const OWNER = { command: 'scan', subject: '/datas' };
const FULL = { code: 'STORE_FULL', severity: 'critical', subject: 'e1', text: 'full', cure: 'room' } as const;

/** A queue on the disk that is never delivered, with what it was told. */
async function queueIn(stateDir: string) {
  const queue = await openNoticeQueue({ stateDir, notifiers: [], log: new RecordingLog() });
  const told: Notice[] = [];
  vi.spyOn(queue, 'tell').mockImplementation((notice) => void told.push(notice));
  return {
    queue,
    told: () => told.map(({ occasion, fields }) => `${occasion} ${fields.subject ?? fields.directory}`),
  };
}

describe('a hook for problems', () => {
  it('tells what comes and goes at most once in a while, and then as it stands', async () => {
    const { queue, told } = await queueIn(temporaryFolder());
    using hook = new ProblemHook({ owner: OWNER, queue, settleMs: 40, startMs: 60_000 });
    const alarms = new Alarms();
    alarms.listen(hook.changed);
    for (let n = 0; n < 5; n++) {
      alarms.raise(FULL);
      alarms.clear(FULL.code, FULL.subject);
    }
    expect(told()).toEqual(['problem e1']);
    await vi.waitFor(() => expect(told()).toEqual(['problem e1', 'solved e1']));
    queue[Symbol.dispose]();
  });

  it('knows over a restart what it has told, and that it is over', async () => {
    const folder = temporaryFolder();
    const before = await queueIn(folder);
    {
      using hook = new ProblemHook({ owner: OWNER, queue: before.queue });
      const alarms = new Alarms();
      alarms.listen(hook.changed);
      alarms.raise(FULL);
      alarms.raise({ ...FULL, subject: 'e2' });
    }
    before.queue[Symbol.dispose]();
    const { queue, told } = await queueIn(folder);
    using hook = new ProblemHook({ owner: OWNER, queue, startMs: 20 });
    const alarms = new Alarms();
    alarms.listen(hook.changed);
    alarms.raise(FULL);
    await vi.waitFor(() => expect(told()).toEqual(['solved e2']));
    await delay(30);
    expect(told()).toEqual(['solved e2']);
    queue[Symbol.dispose]();
  });
});

describe('a hook for seals', () => {
  it('tells of a directory that was sealed when its process was killed before it could', async () => {
    const folder = temporaryFolder();
    const before = await queueIn(folder);
    const killed = new SealHook({ owner: OWNER, queue: before.queue });
    for (const name of ['DC1', 'DC2', 'DC3']) killed.sealing(name);
    killed.sealed('edge1', 'DC3');
    before.queue[Symbol.dispose]();
    const { queue, told } = await queueIn(folder);
    const seal = new SealHook({ owner: OWNER, queue });
    seal.catchUp('edge1', (directory) => directory === 'DC1');
    seal.catchUp('edge1', () => true);
    expect(told()).toEqual(['seal DC1']);
    queue[Symbol.dispose]();
  });

  it('tells of an arrived directory once, and again after a file of it has come', async () => {
    const { queue, told } = await queueIn(temporaryFolder());
    const nothing = (): void => undefined;
    const session = new SealHook({ owner: OWNER, queue })
      .watching({
        refused: nothing,
        full: nothing,
        opened: () => ({ kept: nothing, reported: nothing, sealed: nothing, ended: nothing }),
      })
      .opened({ device: 'edge1', mode: 'write', address: '::1', software: 'x' });
    session.kept('DC1/a', 1);
    session.sealed('DC1');
    session.sealed('DC1');
    session.kept('DC2/a', 1);
    session.sealed('DC1');
    expect(told()).toEqual(['seal DC1']);
    session.kept('DC1/b/c', 1);
    session.sealed('DC1');
    expect(told()).toEqual(['seal DC1', 'seal DC1']);
    queue[Symbol.dispose]();
  });
});
