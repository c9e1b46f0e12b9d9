import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Apply, Task } from '../../src/events/action/download/task.ts';
import { openParking } from '../../src/events/parking/open-parking.ts';
import { pull, type PullOptions } from '../../src/events/pull/pull.ts';
import { WorkTally } from '../../src/events/work/work-tally.ts';
import type { EventSource } from '../../src/events/source/event-source.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { RecordingLog } from '../recording-log.ts';
import { keyMapOf } from './key-map-of.ts';
import { MemoryQueue } from './memory-queue.ts';
import { temporaryState } from './temporary-state.ts';

const REFUSED = new IsyncError('STORE_REFUSED', 'the credentials lack sqs:DeleteMessage');

describe('a pull', () => {
  it('ends where the queue refuses it, also while a record waits for trouble to pass', async () => {
    const queue = new MemoryQueue({ maxDeliveries: 1 });
    let looks = 0;
    const apply: Apply = async () => {
      looks += 1;
      queue.refusal = REFUSED;
      throw new IsyncError('UNREACHABLE', 'the bucket does not answer');
    };
    queue.addKeys('a/one');
    await expect(pull(await optionsFor(queue, apply))).rejects.toBe(REFUSED);
    expect(looks).toBeGreaterThan(0);
    expect(queue.ended).toEqual([['a/one', 0]]);
  });

  it('writes one line for each record, with its message, key and attempt', async () => {
    const queue = new MemoryQueue();
    const log = new RecordingLog();
    const stop = new AbortController();
    for (const key of ['a/done', 'a/../parked', 'b/unmatched', 'a/']) queue.addKeys(key);
    const apply: Apply = async () => ({ outcome: 'unchanged' });
    const pulling = pull(await optionsFor(queue, apply, { log, signal: stop.signal }));
    await until(() => queue.ended.length === 4);
    stop.abort();
    await pulling;
    const told = log.lines.filter(({ fields }) => 'message' in fields).map(({ fields }) => fields);
    expect(told.map(({ message, key, attempt }) => [message, key, attempt])).toEqual(
      expect.arrayContaining(['a/done', 'a/../parked', 'b/unmatched', 'a/'].map((key) => [key, key, 1])),
    );
    expect(told).toHaveLength(4);
  });

  it('writes a line for each try that fails, too', async () => {
    const queue = new MemoryQueue({ isFinite: true });
    const log = new RecordingLog();
    queue.addKeys('a/bad');
    const apply: Apply = async () => {
      throw new IsyncError('STORE_REFUSED', 'no');
    };
    await pull(await optionsFor(queue, apply, { log, once: true, attempts: 2 }));
    const told = log.lines.filter(({ fields }) => 'message' in fields);
    expect(told.map(({ message }) => message)).toEqual(['tried again: no', 'parked: no']);
    for (const { fields } of told)
      expect(fields).toMatchObject({ message: 'a/bad', key: 'a/bad', attempt: 1, code: 'STORE_REFUSED' });
  });

  it('compares the folders with the bucket again and again, where that is asked for', async () => {
    const stop = new AbortController();
    const looked: string[] = [];
    const apply: Apply = async ({ event: { kind, key } }) => {
      looked.push(`${kind} ${key}`);
      return { outcome: 'unchanged' };
    };
    const pulling = pull(
      await optionsFor(new MemoryQueue(), apply, {
        buckets: ['bucket'],
        list: async function* () {
          yield { key: 'a/lost', size: 1, etag: 'x' };
        },
        resync: { atStart: false, everyMs: 20 },
        signal: stop.signal,
      }),
    );
    await until(() => looked.length >= 3);
    stop.abort();
    await pulling;
    expect(new Set(looked)).toEqual(new Set(['created a/lost']));
  });

  it('takes no time of an event for one that is far ahead of the clock', async () => {
    const queue = new MemoryQueue({ isFinite: true });
    const times = new Map<string, number | undefined>();
    const apply: Apply = async ({ event: { key, timeMs } }) => {
      times.set(key, timeMs);
      return { outcome: 'unchanged' };
    };
    const [soon, forged] = [new Date(Date.now() + 10 * 60_000), new Date('2999-01-01')];
    for (const [key, time] of [
      ['a/soon', soon],
      ['a/forged', forged],
    ] as const)
      queue.add({ body: cephRecord({ event: 'ObjectCreated:Put', bucket: 'bucket', key, time }) });
    await pull(await optionsFor(queue, apply, { once: true }));
    expect(Object.fromEntries(times)).toEqual({ 'a/soon': soon.getTime(), 'a/forged': undefined });
  });

  it('with --once ends well where what failed was done when its message came again', async () => {
    const queue = new MemoryQueue({ isFinite: true });
    queue.redeliveries = Infinity;
    queue.addKeys('a/one', 'a/two');
    const failures = new Map([
      ['a/one', 1],
      ['a/two', 2],
    ]);
    const apply: Apply = async ({ event: { key } }) => {
      const left = failures.get(key) ?? 0;
      failures.set(key, left - 1);
      if (left > 0) throw new IsyncError('UNREACHABLE', key);
      return { outcome: 'unchanged' };
    };
    expect(await pull(await optionsFor(queue, apply, { once: true }))).toEqual({ failure: undefined });
    failures.set('a/two', Infinity);
    queue.addKeys('a/one');
    queue.addKeys('a/two');
    queue.redeliveries = 5;
    expect(await pull(await optionsFor(queue, apply, { once: true }))).toMatchObject({
      failure: { code: 'UNREACHABLE', message: 'a/two' },
    });
  });

  it('with --once does not end well where something could not be parked', async () => {
    const queue = new MemoryQueue({ isFinite: true });
    queue.redeliveries = 2;
    queue.addKeys('a/../parked');
    const parking = await openParking('/no/such/folder/parked', { log: new RecordingLog() });
    const apply: Apply = async () => ({ outcome: 'unchanged' });
    expect(await pull(await optionsFor(queue, apply, { once: true, parking }))).toMatchObject({
      failure: { code: 'STORE_MISSING' },
    });
  });

  it('has all its polls wait at the queue once there is room again', async () => {
    const queue = new MemoryQueue();
    const looks: (() => void)[] = [];
    const apply: Apply = async () => {
      await new Promise<void>((resolve) => looks.push(resolve));
      return { outcome: 'unchanged' };
    };
    for (let i = 0; i < 5_000; i++) queue.addKeys(`a/${i}`);
    const stop = new AbortController();
    const pulling = pull(await optionsFor(queue, apply, { signal: stop.signal, concurrency: 1e5 }));
    await until(() => queue.polls === 0 && looks.length > 0);
    queue.clear();
    const endedMs = performance.now();
    for (const end of looks) end();
    await until(() => queue.polls === 4);
    // No poll has slept until some time was over.
    expect(performance.now() - endedMs).toBeLessThan(5000);
    stop.abort();
    await pulling;
    expect(queue.ended.filter(([, how]) => how === 'ack')).toHaveLength(looks.length);
  });
});

async function optionsFor(
  source: EventSource,
  apply: (task: Task, signal: AbortSignal) => ReturnType<Apply>,
  more: Partial<PullOptions> = {},
): Promise<PullOptions> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-pull-'));
  const log = new RecordingLog();
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const never = new AbortController().signal;
  return {
    source,
    apply,
    state: await temporaryState(),
    log,
    parking: await openParking(join(folder, 'parked'), { log }),
    keys: keyMapOf([['a/', folder]]),
    rootOf: (mapping) => mapping.folder,
    list: async function* () {},
    removes: true,
    buckets: [],
    keyEncoding: 'auto',
    unmatched: 'release',
    attempts: 5,
    concurrency: 32,
    maxDelete: { percent: 25 },
    resync: { atStart: false, everyMs: undefined },
    once: false,
    observer: new WorkTally(),
    signal: never,
    cut: never,
    ...more,
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
