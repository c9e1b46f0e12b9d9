import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Task } from '../../src/events/action/action.ts';
import { Breakers } from '../../src/events/work/breakers.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';

const AWAY = new IsyncError('UNREACHABLE', 'nobody answers', { retryable: true });
const MISSING = new IsyncError('STORE_REFUSED', 'forbidden');

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** Breakers around a side that fails with `fault`, or not. */
function stage() {
  const log = new RecordingLog();
  const side: { fault: Error | undefined; tries: number; until: Promise<void> | undefined } = {
    fault: undefined,
    tries: 0,
    until: undefined,
  };
  const breakers = new Breakers(log);
  const act = breakers.guard(async () => {
    side.tries += 1;
    await side.until;
    if (side.fault !== undefined) throw side.fault;
    return { outcome: 'done' };
  });
  const signal = new AbortController().signal;
  const told = (bucket = 'b'): Promise<string> =>
    act({ event: { bucket, key: 'k' }, messageId: 'm', attempt: 1 } as Task, signal).then(
      ({ outcome }) => outcome,
      (error: Error) => error.message,
    );
  return { breakers, log, side, told };
}

/** Fails until the breaker is open. */
async function opened(bucket = 'b') {
  const open = stage();
  open.side.fault = AWAY;
  for (let count = 0; count < 5; count++) await open.told(bucket);
  expect(open.side.tries).toBe(5);
  return open;
}

describe('a breaker', () => {
  it('opens after five failures one after the other that say that a side is away', async () => {
    const { breakers, side, told } = stage();
    side.fault = AWAY;
    for (let count = 0; count < 4; count++) await told();
    side.fault = undefined;
    await told();
    side.fault = AWAY;
    for (let count = 0; count < 4; count++) await told();
    expect(breakers.openMs('b')).toBe(0);
    await told();
    expect(breakers.openMs('b')).toBeGreaterThanOrEqual(500);
    expect(breakers.openMs('b')).toBeLessThanOrEqual(1_000);
    expect(side.tries).toBe(10);
    expect(await told()).toBe('nobody answers');
    expect(side.tries).toBe(10);
  });

  it('stays shut for what is wrong with one object, and for faults of our own', async () => {
    const { breakers, side, told } = stage();
    for (const fault of [
      MISSING,
      new Error('a fault'),
      new IsyncError('BUSY', 'later', { retryable: true }),
    ]) {
      side.fault = fault;
      for (let count = 0; count < 10; count++) await told();
      expect(breakers.openMs('b')).toBe(0);
    }
    expect(side.tries).toBe(30);
  });

  it('lets one alone try once its time is over, and opens for longer where that fails: a minute at most', async () => {
    const { breakers, side, told } = await opened();
    const times: number[] = [];
    for (let round = 0; round < 12; round++) {
      times.push(breakers.openMs('b'));
      vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
      const before = side.tries;
      const gate = Promise.withResolvers<void>();
      side.until = gate.promise;
      const probe = told();
      expect(await told()).toBe('nobody answers');
      gate.resolve();
      await probe;
      expect(side.tries).toBe(before + 1);
    }
    expect(times[3]).toBeGreaterThanOrEqual(4_000);
    expect(times.at(-1)).toBeGreaterThanOrEqual(30_000);
    expect(Math.max(...times)).toBeLessThanOrEqual(60_000);
  });

  it('shuts once one has worked, and tells both in a line each', async () => {
    const { breakers, log, side, told } = await opened();
    vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
    side.fault = undefined;
    expect([await told(), await told()]).toEqual(['done', 'done']);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'is away: nothing is tried for a while',
      'answers again',
    ]);
    for (const { fields } of log.lines)
      expect(fields).toMatchObject({
        message: 'm',
        attempt: 1,
        bucket: 'b',
        key: 'k',
      });
  });

  it('lets the next one try where the one that tried found trouble of its own', async () => {
    const { breakers, side, told } = await opened();
    vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
    side.fault = MISSING;
    expect([await told(), await told()]).toEqual(['forbidden', 'forbidden']);
    expect(side.tries).toBe(7);
  });

  it('lets all in once an answer shows the side to be there, whatever it says of one object', async () => {
    const { breakers, side, told } = await opened();
    vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
    side.fault = MISSING;
    expect(await told()).toBe('forbidden');
    const gate = Promise.withResolvers<void>();
    side.until = gate.promise;
    const all = Array.from({ length: 8 }, () => told());
    expect(side.tries).toBe(14);
    expect(breakers.isOpen('b')).toBe(false);
    gate.resolve();
    expect(await Promise.all(all)).toEqual(Array(8).fill('forbidden'));
  });

  it('opens again at once, and for longer, where one side answers and the other one is still away', async () => {
    const { breakers, log, side, told } = await opened();
    const times: number[] = [];
    for (let round = 0; round < 8; round++) {
      vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
      side.fault = MISSING;
      await told();
      side.fault = AWAY;
      await told();
      times.push(breakers.openMs('b'));
    }
    expect(Math.min(...times)).toBeGreaterThan(0);
    expect(times[4]).toBeGreaterThanOrEqual(8_000);
    expect(times.at(-1)).toBeGreaterThanOrEqual(30_000);
    expect(log.lines).toHaveLength(1);
  });

  it.each([
    new Error('a fault of our own'),
    new IsyncError('BUSY', 'a gateway whose server is down', { retryable: true }),
  ])('lets one alone try after what shows nothing of the side: %s', async (fault) => {
    const { breakers, side, told } = await opened();
    vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
    side.fault = fault;
    await told();
    const hang = Promise.withResolvers<void>();
    side.until = hang.promise;
    const probe = told();
    expect(await told()).toBe('nobody answers');
    hang.resolve();
    await probe;
  });

  it('tells why nothing can be done, where that is so for all that has come lately', async () => {
    const { breakers, side, told } = await opened('a');
    expect(breakers.away).toBe(AWAY);
    side.fault = undefined;
    await told('b');
    expect(breakers.away).toBeUndefined();
    side.fault = AWAY;
    // Of "b" nothing comes any more.
    for (let minute = 0; minute < 16; minute++) {
      vi.advanceTimersByTime(60_000);
      await told('a');
    }
    expect(breakers.away).toBe(AWAY);
    side.fault = undefined;
    vi.advanceTimersByTime(60_000);
    await told('a');
    expect(breakers.away).toBeUndefined();
    expect(stage().breakers.away).toBeUndefined();
  });

  it('opens for a second at first, however many were under way when the side went away', async () => {
    const { breakers, log, side, told } = stage();
    side.fault = AWAY;
    const gate = Promise.withResolvers<void>();
    side.until = gate.promise;
    const all = Array.from({ length: 32 }, () => told());
    gate.resolve();
    await Promise.all(all);
    expect(breakers.openMs('b')).toBeGreaterThan(0);
    expect(breakers.openMs('b')).toBeLessThanOrEqual(1_000);
    expect(log.lines).toHaveLength(1);
  });

  it('lets another one try where the one that tries takes long: a script may hang', async () => {
    const { breakers, side, told } = await opened();
    vi.advanceTimersByTime(Math.ceil(breakers.openMs('b')));
    side.fault = undefined;
    const hang = Promise.withResolvers<void>();
    side.until = hang.promise;
    const probe = told();
    expect(await told()).toBe('nobody answers');
    vi.advanceTimersByTime(10_001);
    side.until = undefined;
    expect(await told()).toBe('done');
    hang.resolve();
    expect(await probe).toBe('done');
  });

  it('opens for scripts that can not be started', async () => {
    const { breakers, side, told } = stage();
    side.fault = new IsyncError('CONFIG_INVALID', 'the script is gone', { retryable: true });
    for (let count = 0; count < 5; count++) await told();
    expect(breakers.openMs('b')).toBeGreaterThan(0);
  });

  it('is one of a bucket; all are open only where each bucket of late has an open one', async () => {
    const { breakers, side, told } = await opened('a');
    expect(breakers.allOpenMs).toBeGreaterThan(0);
    side.fault = undefined;
    expect(await told('b')).toBe('done');
    expect(breakers.allOpenMs).toBe(0);
    vi.advanceTimersByTime(60_000);
    side.fault = AWAY;
    // Of "b" nothing has come for a minute.
    await told('a');
    expect(breakers.allOpenMs).toBeGreaterThan(0);
  });
});
