import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Act, Task } from '../../src/events/action/action.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import { openParking } from '../../src/events/parking/open-parking.ts';
import { work, type WorkOptions } from '../../src/events/work/work.ts';
import { WorkTally } from '../../src/events/work/work-tally.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { OwnQueue } from './own-queue.ts';

const DONE: Outcome = { outcome: 'done' };
const LATER = new IsyncError('BUSY', 'not now', { retryable: true });
const BROKEN = new IsyncError('STORE_REFUSED', 'no');

describe('work on a queue of our own', () => {
  it('buries what has failed for good as often as it may; trouble that passes does not count', async () => {
    const queue = new OwnQueue();
    queue.add('bad', 'a');
    queue.add('busy', 'b');
    let tries = 0;
    await worked(queue, {
      attempts: 3,
      act: async ({ messageId, attempt }) => {
        if (messageId === 'busy' && attempt < 20) throw LATER;
        if (messageId === 'busy') return DONE;
        tries += 1;
        throw tries === 2 ? LATER : BROKEN;
      },
    });
    expect(queue.endsOf('bad')).toEqual([
      ...Array.from({ length: 3 }, () => expect.any(Number)),
      { buried: 'no' },
    ]);
    expect(queue.endsOf('busy')).toHaveLength(20);
    expect(queue.endsOf('busy').at(-1)).toBe('ack');
  });

  it('counts failures for good over all workers, one after the other', async () => {
    const queue = new OwnQueue();
    queue.add('bad', 'a');
    let tries = 0;
    for (const most of [2, 4]) {
      const stop = new AbortController();
      const fail: Act = async () => {
        tries += 1;
        if (tries === most) stop.abort();
        throw BROKEN;
      };
      await worked(queue, { attempts: 4, act: fail, stop });
    }
    expect(tries).toBe(4);
    expect(queue.endsOf('bad').at(-1)).toEqual({ buried: 'no' });
  });

  it('gives back with full jitter: up to twice as long each time, 15 minutes at most', async () => {
    const queue = new OwnQueue();
    const ids = Array.from({ length: 60 }, (_, index) => `m${index}`);
    for (const id of ids) queue.add(id, id);
    await worked(queue, {
      needs: 'newest',
      act: async ({ attempt }) => {
        if (attempt < 14) throw LATER;
        return DONE;
      },
    });
    const delays = (attempt: number): number[] => ids.map((id) => Number(queue.endsOf(id)[attempt - 1]));
    for (const [attempt, most] of [
      [1, 2_000],
      [4, 16_000],
      [13, 900_000],
    ] as const) {
      expect(Math.min(...delays(attempt))).toBeGreaterThanOrEqual(100);
      expect(Math.max(...delays(attempt))).toBeLessThanOrEqual(most);
      // Of 60 at random, not all lie in one half.
      expect(Math.min(...delays(attempt))).toBeLessThan(most / 2);
      expect(Math.max(...delays(attempt))).toBeGreaterThan(most / 2);
    }
  });

  it('counts for that only what has failed, not how often it was its turn later', async () => {
    const queue = new OwnQueue();
    for (const id of ['m0', 'm1']) queue.add(id, 'a');
    let hasFailed = false;
    await worked(queue, {
      act: async ({ messageId, attempt }) => {
        if (messageId === 'm0' && attempt < 15) throw LATER;
        if (messageId === 'm0' || hasFailed) return DONE;
        hasFailed = true;
        expect(attempt).toBeGreaterThan(10);
        throw LATER;
      },
    });
    expect(queue.endsOf('m1').at(-2)).toBeLessThanOrEqual(2_000);
  });

  it('buries what can not be understood, is of another bucket, or has no place', async () => {
    const queue = new OwnQueue();
    queue.add('foreign', 'a', { s3: { bucket: { name: 'other' }, object: { key: 'a' } } });
    queue.add('nothing', 'a', { s3: 'no object' });
    queue.add('refused', 'refused');
    const { parking } = await worked(queue, { buckets: ['photos'], act: async () => DONE });
    for (const id of ['foreign', 'nothing', 'refused'])
      expect(queue.endsOf(id)).toEqual([{ buried: expect.any(String) }]);
    expect(parking.count).toBe(0);
  });

  it('keeps the order of a key where each event counts, though the first ones fail for a while', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 6; index++) queue.add(`m${index}`, 'a');
    queue.add('other', 'b');
    const tries = new Map<string, number>();
    const done: string[] = [];
    await worked(queue, {
      act: async ({ messageId }) => {
        const count = (tries.get(messageId) ?? 0) + 1;
        tries.set(messageId, count);
        if (['m0', 'm3'].includes(messageId) && count < 4) throw LATER;
        done.push(messageId);
        return DONE;
      },
    });
    expect(done.filter((id) => id !== 'other')).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5']);
    expect(done.indexOf('other')).toBeLessThan(2);
  });

  it('takes no event for a repeat of one that another came after, where nothing tells the two apart', async () => {
    const queue = new OwnQueue();
    const untold = { eventTime: undefined, s3: { bucket: { name: 'photos' }, object: { key: 'a' } } };
    queue.add('first', 'other');
    for (const id of ['put', 'put again']) queue.add(id, 'a', untold);
    queue.add('delete', 'a', { ...untold, eventName: 'ObjectRemoved:Delete' });
    queue.add('put anew', 'a', untold);
    const all = Promise.withResolvers<void>();
    const done: string[] = [];
    const ended = worked(queue, {
      concurrency: 1,
      act: async ({ messageId, event }) => {
        if (event.key === 'other') await all.promise;
        else done.push(messageId);
        return DONE;
      },
    });
    all.resolve();
    await ended;
    expect(done.at(-1)).toBe('put anew');
  });

  it('goes on behind what is dead', async () => {
    const queue = new OwnQueue();
    for (const id of ['m0', 'm1', 'm2']) queue.add(id, 'a');
    const begun: string[] = [];
    await worked(queue, {
      attempts: 2,
      act: async ({ messageId }) => {
        begun.push(messageId);
        if (messageId === 'm0') throw BROKEN;
        return DONE;
      },
    });
    expect(queue.endsOf('m0').at(-1)).toEqual({ buried: 'no' });
    expect(begun).toEqual(['m0', 'm0', 'm1', 'm2']);
  });

  it('leaves the room to other keys: of one that is slow, few wait here', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 100; index++) queue.add(`m${index}`, 'slow');
    for (let index = 0; index < 20; index++) queue.add(`other${index}`, `k${index}`);
    const slow = Promise.withResolvers<void>();
    const done: string[] = [];
    const ended = worked(queue, {
      concurrency: 5,
      act: async ({ messageId, event }) => {
        if (event.key === 'slow') await slow.promise;
        done.push(messageId);
        return DONE;
      },
    });
    await vi.waitFor(() => expect(done).toHaveLength(20), 30_000);
    expect(queue.inHand).toBeLessThanOrEqual(8);
    slow.resolve();
    await ended;
    expect(done.slice(20)).toEqual(Array.from({ length: 100 }, (_, index) => `m${index}`));
    expect(queue.mostInHand).toBeLessThanOrEqual(40 + POLLS);
  });

  it('leaves the room to other keys, also where all but one of the actions at a time are for slow ones', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 90; index++) queue.add(`m${index}`, `slow${index % 3}`);
    for (let index = 0; index < 20; index++) queue.add(`other${index}`, `k${index}`);
    const slow = Promise.withResolvers<void>();
    const done: string[] = [];
    const ended = worked(queue, {
      concurrency: 4,
      act: async ({ messageId, event }) => {
        if (event.key.startsWith('slow')) await slow.promise;
        done.push(messageId);
        return DONE;
      },
    });
    try {
      await vi.waitFor(() => expect(done).toHaveLength(20), 10_000);
    } finally {
      slow.resolve();
      await ended;
    }
  });

  it('leaves the room to other keys where the newest event is enough: one waits for all of a slow key', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 90; index++) queue.add(`m${index}`, `slow${index % 3}`);
    for (let index = 0; index < 20; index++) queue.add(`other${index}`, `k${index}`);
    const slow = Promise.withResolvers<void>();
    const done: string[] = [];
    const ended = worked(queue, {
      needs: 'newest',
      concurrency: 4,
      act: async ({ messageId, event }) => {
        if (event.key.startsWith('slow')) await slow.promise;
        done.push(messageId);
        return DONE;
      },
    });
    try {
      await vi.waitFor(() => expect(done).toHaveLength(20), 10_000);
      expect(queue.mostInHand).toBeLessThanOrEqual(8 + POLLS);
    } finally {
      slow.resolve();
      await ended;
    }
  });

  it('has one action serve all records of a key that wait, while it is quick', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 400; index++) queue.add(`m${index}`, 'hot');
    let actions = 0;
    await worked(queue, {
      needs: 'newest',
      act: async () => {
        actions += 1;
        await delay(5);
        return DONE;
      },
    });
    expect(queue.ended.filter(([, end]) => end !== 'ack')).toEqual([]);
    expect(actions).toBeLessThanOrEqual(100);
  });

  it('gives a created event that finds no object back until its second look, which is the last', async () => {
    const queue = new OwnQueue();
    queue.add('m', 'a');
    const looks: boolean[] = [];
    await worked(queue, {
      needs: 'newest',
      act: async ({ isLastLook }) => {
        looks.push(isLastLook);
        return isLastLook ? { outcome: 'removed' } : { outcome: 'missing' };
      },
    });
    expect(looks).toEqual([false, true]);
    expect(queue.endsOf('m')).toEqual([5_000, 'ack']);
  });

  it('gives what waits for its turn back for a moment, not to come again at once', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 20; index++) queue.add(`m${index}`, 'slow');
    const slow = Promise.withResolvers<void>();
    const ended = worked(queue, {
      act: async () => {
        await slow.promise;
        return DONE;
      },
    });
    await vi.waitFor(() => expect(queue.ended.length).toBeGreaterThanOrEqual(3), 30_000);
    slow.resolve();
    await ended;
    const delays = queue.ended.map(([, end]) => end).filter((end) => typeof end === 'number');
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(10);
  });

  it('gives a record that could not be settled back for a while', async () => {
    const queue = new OwnQueue();
    queue.add('m', 'a');
    let tries = 0;
    await worked(queue, {
      parking: {
        settled: async () => {
          tries += 1;
          if (tries < 3) throw new IsyncError('STORE_FAILED', 'the disk is read-only');
        },
        replays: async () => [],
      } as unknown as WorkOptions<unknown>['parking'],
      act: async () => DONE,
    });
    expect(queue.endsOf('m')).toEqual([expect.any(Number), expect.any(Number), 'ack']);
    for (const delay of queue.endsOf('m').slice(0, 2)) expect(delay).toBeGreaterThanOrEqual(100);
  });

  it('has few lines of log for a side that is away, not one for each event', async () => {
    const queue = new OwnQueue();
    for (let index = 0; index < 100; index++) {
      queue.add(`away${index}`, `k${index}`, { s3: s3Of('away', `k${index}`) });
      queue.add(`well${index}`, `k${index}`, { s3: s3Of('well', `k${index}`) });
    }
    let isAway = true;
    let well = 0;
    const { log } = await worked(queue, {
      needs: 'newest',
      act: async ({ event }) => {
        if (event.bucket === 'away' && isAway)
          throw new IsyncError('UNREACHABLE', 'nobody answers', { retryable: true });
        if (event.bucket === 'well') isAway = ++well < 100;
        return DONE;
      },
    });
    expect(log.at('warn').length).toBeLessThanOrEqual(20);
  });
});

function s3Of(bucket: string, key: string) {
  return { bucket: { name: bucket }, object: { key } };
}

/** Of an intake: each may bring one message more than there is room for. */
const POLLS = 4;

interface Given extends Partial<Omit<WorkOptions<unknown>, 'action'>> {
  readonly act: Act;
  /** Default: each. */
  readonly needs?: 'newest' | 'each';
  /** Default: ends once the queue is empty. */
  readonly stop?: AbortController;
}

/** Works until the queue is empty. */
async function worked(
  source: OwnQueue,
  { act, needs = 'each', stop = new AbortController(), ...options }: Given,
) {
  const log = new RecordingLog();
  const parking = await openParking(join(temporaryFolder(), 'parked'), { log });
  const action = {
    name: 'test',
    needs,
    route: ({ key }: Task['event']) =>
      key === 'refused'
        ? ({ kind: 'refused', reason: 'is none' } as const)
        : ({ kind: 'task', target: undefined, place: key } as const),
    act,
    [Symbol.asyncDispose]: async () => {},
  };
  const ended = work<unknown>({
    source,
    action,
    parking,
    buckets: [],
    keyEncoding: 'auto',
    unmatched: 'discard',
    attempts: 10,
    concurrency: 4,
    once: false,
    observer: new WorkTally(),
    log,
    signal: stop.signal,
    cut: new AbortController().signal,
    ...options,
  });
  const isOver = (): boolean => source.isEmpty || stop.signal.aborted;
  await vi.waitFor(() => expect(isOver()).toBe(true), { timeout: 60_000, interval: 1 });
  stop.abort();
  await ended;
  return { parking, log };
}
