import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Apply } from '../../src/events/action/download/task.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import { openParking } from '../../src/events/parking/open-parking.ts';
import type { Parking } from '../../src/events/parking/parking.ts';
import { pull, type PullOptions } from '../../src/events/pull/pull.ts';
import type { Running } from '../../src/events/work/work.ts';
import { WorkTally } from '../../src/events/work/work-tally.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { keyMapOf } from './key-map-of.ts';
import { MemoryQueue, type QueueOptions, type Sent } from './memory-queue.ts';
import { temporaryState } from './temporary-state.ts';

const WRITTEN: Outcome = { outcome: 'written', bytes: 1 };
const AWAY = new IsyncError('UNREACHABLE', 'away');
const REFUSED = new IsyncError('STORE_REFUSED', 'no');

describe('a message', () => {
  it('is acknowledged when all of its records are done or parked', async () => {
    const queue = queueOf([{ keys: ['in/a', 'in/b', 'in/../c'] }, { body: 'no event' }]);
    const { parking } = await run(queue, { apply: async () => WRITTEN });
    expect(queue.ends).toEqual(['ack', 'ack']);
    expect(parking.count).toBe(2);
  });

  it('is given back for trouble that passes, later each time', async () => {
    const queue = queueOf([{ keys: ['in/a', 'in/b'] }, { keys: ['in/a'], attempt: 9 }]);
    const { failure } = await run(queue, {
      apply: async ({ path }) => {
        if (path === 'a') throw AWAY;
        return WRITTEN;
      },
    });
    const [first, ninth] = queue.ends;
    expect(first).toBeGreaterThanOrEqual(1000);
    expect(first).toBeLessThanOrEqual(3000);
    expect(ninth).toBeGreaterThan(100_000);
    expect(ninth).toBeLessThanOrEqual(900_000);
    expect(failure).toBe(AWAY);
  });

  it('is parked for what fails for good, or left to the queue that has a place for it', async () => {
    const apply: Apply = async () => {
      throw REFUSED;
    };
    const alone = queueOf([{ keys: ['in/a'] }]);
    const { parking } = await run(alone, { apply });
    expect(alone.ends).toEqual(['ack']);
    expect(parking.count).toBe(1);
    const redriven = queueOf([{ keys: ['in/a'] }], { maxDeliveries: 5 });
    const other = await run(redriven, { apply });
    expect(redriven.ends).toEqual([expect.any(Number)]);
    expect(other.parking.count).toBe(0);
    expect(other.failure).toBe(REFUSED);
  });

  it('below no prefix is given back for others, except in a FIFO queue', async () => {
    const ends = async (queue: MemoryQueue, options: Partial<PullOptions> = {}) => {
      await run(queue, options);
      return queue.ends;
    };
    const [released] = await ends(queueOf([{ keys: ['else/a'] }]));
    expect(released).toBeGreaterThanOrEqual(15_000);
    const [again] = await ends(queueOf([{ keys: ['else/a'], attempt: 9 }]));
    expect(again).toBeGreaterThanOrEqual(450_000);
    expect(again).toBeLessThanOrEqual(900_000);
    expect(await ends(queueOf([{ keys: ['else/a'] }]), { unmatched: 'discard' })).toEqual(['ack']);
    expect(await ends(queueOf([{ keys: ['else/a'] }], { isFifo: true }))).toEqual(['ack']);
  });

  it('stays in hand while trouble lasts, where the queue would take its return for a failure', async () => {
    const queue = queueOf([{ keys: ['in/a'], attempt: 4 }], { maxDeliveries: 5 });
    let tries = 0;
    const stop = new AbortController();
    const ended = run(queue, {
      once: false,
      signal: stop.signal,
      apply: async () => {
        tries += 1;
        if (tries < 3) throw AWAY;
        return WRITTEN;
      },
    });
    await vi.waitFor(() => expect(queue.ends).toEqual(['ack']), 60_000);
    stop.abort();
    await ended;
    expect(tries).toBe(3);
  });

  it('with --once waits out trouble too at its last deliveries, and the pull ends where that lasts', async () => {
    const queue = queueOf([{ keys: ['in/a'], attempt: 4 }], { maxDeliveries: 5 });
    let tries = 0;
    const mends = async () => {
      tries += 1;
      if (tries < 3) throw AWAY;
      return WRITTEN;
    };
    await run(queue, { apply: mends });
    expect(queue.ends).toEqual(['ack']);

    const failing = queueOf([{ keys: ['in/b'], attempt: 4 }], { maxDeliveries: 5 });
    let looks = 0;
    const { failure } = await run(failing, {
      onceStaysMs: 300,
      apply: async () => {
        looks += 1;
        throw AWAY;
      },
    });
    expect(looks).toBeGreaterThan(1);
    expect(failing.ends).toEqual([900_000]);
    expect(failure).toBe(AWAY);
  });

  it('that stays in hand is given back when the queue can not be used any more', async () => {
    const queue = queueOf([{ keys: ['in/a'], attempt: 4 }], { maxDeliveries: 5 });
    queue.refusal = REFUSED;
    const ended = run(queue, {
      once: false,
      apply: async () => {
        throw AWAY;
      },
    });
    await expect(ended).rejects.toBe(REFUSED);
    expect(queue.ends).toEqual([0]);
  });

  it('is not asked for while the disk is full', async () => {
    const queue = queueOf([{ keys: ['in/a'] }, { keys: ['in/b'] }], { perPoll: 1 });
    const stop = new AbortController();
    const ended = run(queue, {
      once: false,
      signal: stop.signal,
      apply: async () => {
        throw new IsyncError('STORE_FULL', 'full');
      },
    });
    await vi.waitFor(() => expect(queue.ends.length).toBeGreaterThan(0), 60_000);
    const { asked } = queue;
    await new Promise((resolve) => setTimeout(resolve, 50));
    // Those that were under way already may have got the other one.
    expect(queue.asked).toBeLessThanOrEqual(asked + 4);
    stop.abort();
    await ended;
  });
});

describe('a full disk', () => {
  it('is told until something is written again', async () => {
    const queue = new MemoryQueue();
    const stop = new AbortController();
    let isFull = true;
    let running: Running | undefined;
    const ended = run(queue, {
      once: false,
      signal: stop.signal,
      started: (now) => {
        running = now;
      },
      apply: async () => {
        if (isFull) throw new IsyncError('STORE_FULL', 'full');
        return WRITTEN;
      },
    });
    await vi.waitFor(() => expect(running?.isDiskFull).toBe(false), 60_000);
    queue.add({ keys: ['in/a'] }, { keys: ['in/b'] });
    await vi.waitFor(() => expect(running?.isDiskFull).toBe(true), 60_000);
    isFull = false;
    queue.add({ keys: ['in/c'] });
    await vi.waitFor(() => expect(running?.isDiskFull).toBe(false), 60_000);
    stop.abort();
    await ended;
  });
});

function queueOf(sent: readonly Sent[], options: QueueOptions = {}): MemoryQueue {
  const queue = new MemoryQueue({ isFinite: true, ...options });
  queue.add(...sent);
  return queue;
}

async function run(
  source: MemoryQueue,
  options: Partial<PullOptions>,
): Promise<{ parking: Parking; failure?: unknown }> {
  const log = new RecordingLog();
  const parking = await openParking(join(temporaryFolder(), 'parked'), { log });
  const never = new AbortController().signal;
  const { failure } = await pull({
    source,
    parking,
    state: await temporaryState(),
    keys: keyMapOf([['in/', '/folder']]),
    apply: async () => WRITTEN,
    list: async function* () {
      // Nothing is compared here.
    },
    removes: true,
    rootOf: ({ folder }) => folder,
    buckets: [],
    keyEncoding: 'auto',
    unmatched: 'release',
    attempts: 1,
    concurrency: 4,
    maxDelete: { percent: 25 },
    resync: { atStart: false, everyMs: undefined },
    once: true,
    observer: new WorkTally(),
    log,
    signal: never,
    cut: never,
    ...options,
  });
  return { parking, failure };
}
