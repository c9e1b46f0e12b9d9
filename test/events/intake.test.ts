import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { Apply, Outcome } from '../../src/events/action/outcome.ts';
import { openParking } from '../../src/events/parking/open-parking.ts';
import type { Parking } from '../../src/events/parking/parking.ts';
import { pull, type PullOptions } from '../../src/events/pull/pull.ts';
import { PullTally } from '../../src/events/pull/pull-tally.ts';
import type { Delivery, EventSource } from '../../src/events/source/event-source.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { MemoryState } from './memory-state.ts';
import { keyMapOf } from './key-map-of.ts';

const WRITTEN: Outcome = { outcome: 'written', bytes: 1 };
const AWAY = new IsyncError('UNREACHABLE', 'away');
const REFUSED = new IsyncError('STORE_REFUSED', 'no');

describe('a message', () => {
  it('is acknowledged when all of its records are done or parked', async () => {
    const queue = new Queue([{ keys: ['in/a', 'in/b', 'in/../c'] }, { body: 'no event' }]);
    const { parking } = await run(queue, { apply: async () => WRITTEN });
    expect(queue.ends).toEqual(['ack', 'ack']);
    expect(parking.count).toBe(2);
  });

  it('is given back for trouble that passes, later each time', async () => {
    const queue = new Queue([{ keys: ['in/a', 'in/b'] }, { keys: ['in/a'], attempt: 9 }]);
    const { failure } = await run(queue, {
      apply: async ({ path }) => {
        if (path === 'a') throw AWAY;
        return WRITTEN;
      },
    });
    const [first, ninth] = queue.ends.map(delayIn);
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
    const alone = new Queue([{ keys: ['in/a'] }]);
    const { parking } = await run(alone, { apply });
    expect(alone.ends).toEqual(['ack']);
    expect(parking.count).toBe(1);
    const redriven = new Queue([{ keys: ['in/a'] }], { maxDeliveries: 5 });
    const other = await run(redriven, { apply });
    expect(redriven.ends.map(delayIn)).toEqual([expect.any(Number)]);
    expect(other.parking.count).toBe(0);
    expect(other.failure).toBe(REFUSED);
  });

  it('below no prefix is given back for others, except in a FIFO queue', async () => {
    const ends = async (queue: Queue, options: Partial<PullOptions> = {}) => {
      await run(queue, options);
      return queue.ends;
    };
    const [released = ''] = await ends(new Queue([{ keys: ['else/a'] }]));
    expect(delayIn(released)).toBeGreaterThanOrEqual(15_000);
    expect(await ends(new Queue([{ keys: ['else/a'] }]), { unmatched: 'discard' })).toEqual(['ack']);
    expect(await ends(new Queue([{ keys: ['else/a'] }], { isFifo: true }))).toEqual(['ack']);
  });

  it('stays in hand while trouble lasts, where the queue would take its return for a failure', async () => {
    const queue = new Queue([{ keys: ['in/a'], attempt: 4 }], { maxDeliveries: 5 });
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

  it('that stays in hand is given back when the queue can not be used any more', async () => {
    const queue = new Queue([{ keys: ['in/a'], attempt: 4 }], { maxDeliveries: 5 });
    queue.fails = REFUSED;
    const ended = run(queue, {
      once: false,
      apply: async () => {
        throw AWAY;
      },
    });
    await expect(ended).rejects.toBe(REFUSED);
    expect(queue.ends).toEqual(['release 0']);
  });

  it('is not asked for while the disk is full', async () => {
    const queue = new Queue([{ keys: ['in/a'] }, { keys: ['in/b'] }], { perPoll: 1 });
    const stop = new AbortController();
    const ended = run(queue, {
      once: false,
      signal: stop.signal,
      apply: async () => {
        throw new IsyncError('STORE_FULL', 'full');
      },
    });
    await vi.waitFor(() => expect(queue.ends.length).toBeGreaterThan(0), 60_000);
    const polls = queue.polls;
    await new Promise((resolve) => setTimeout(resolve, 50));
    // Those that were under way already may have got the other one.
    expect(queue.polls).toBeLessThanOrEqual(polls + 4);
    stop.abort();
    await ended;
  });
});

interface Sent {
  readonly keys?: readonly string[];
  readonly body?: string;
  readonly attempt?: number;
}

/** A queue in memory: what no real one can be brought to do at will. */
class Queue implements EventSource {
  readonly where = 'memory';
  readonly maxDeliveries: number | undefined;
  readonly isFifo: boolean;
  readonly isReachable = true;
  /** `ack`, or `release` and the delay in ms. */
  readonly ends: string[] = [];
  fails: Error | undefined;
  polls = 0;
  readonly #perPoll: number;
  readonly #waiting: Sent[];

  constructor(
    sent: readonly Sent[],
    {
      maxDeliveries,
      isFifo = false,
      perPoll = 10,
    }: { maxDeliveries?: number; isFifo?: boolean; perPoll?: number } = {},
  ) {
    this.#waiting = [...sent];
    this.maxDeliveries = maxDeliveries;
    this.isFifo = isFifo;
    this.#perPoll = perPoll;
  }

  get inHand(): number {
    return 0;
  }

  async receive(): Promise<readonly Delivery[]> {
    this.polls += 1;
    const taken = this.#waiting.splice(0, this.#perPoll);
    if (taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    if (taken.length === 0 && this.fails !== undefined) throw this.fails;
    return taken.map(({ keys = [], body = bodyOf(keys), attempt = 1 }, index) => ({
      id: String(index),
      body,
      attempt,
      sentMs: undefined,
      ack: async () => void this.ends.push('ack'),
      release: async (delayMs: number) => void this.ends.push(`release ${delayMs}`),
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function bodyOf(keys: readonly string[]): string {
  const Records = keys.map((key) => ({
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'bucket' }, object: { key } },
  }));
  return JSON.stringify({ Records });
}

function delayIn(end: string): number {
  return Number(/^release (\d+)$/.exec(end)?.[1]);
}

async function run(
  source: Queue,
  options: Partial<PullOptions>,
): Promise<{ parking: Parking; failure?: unknown }> {
  const log = new RecordingLog();
  const parking = await openParking(join(temporaryFolder(), 'parked'), { log });
  const never = new AbortController().signal;
  const { failure } = await pull({
    source,
    parking,
    state: new MemoryState(),
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
    observer: new PullTally(),
    log,
    signal: never,
    cut: never,
    ...options,
  });
  return { parking, failure };
}
