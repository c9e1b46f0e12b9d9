import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ReadPlaces } from '../../src/s3/read-places.ts';

const NEVER = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Pieces without end; `bytes` each, `ms` after they are asked for. */
function endless(bytes: number, ms = 0) {
  const told = { left: 0 };
  const pieces: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
        return { done: false, value: new Uint8Array(bytes) };
      },
      return: async () => {
        told.left += 1;
        return { done: true, value: undefined };
      },
    }),
  };
  return { told, pieces };
}

async function held(places: ReadPlaces, bytes: number, ms?: number) {
  const place = await places.enter(NEVER);
  if (place === undefined) throw new Error('no place');
  const { told, pieces } = endless(bytes, ms);
  return { place, told, pieces: place.paced(pieces, 'k') };
}

/** Reads a piece each `ms` until it is cut; counts them. */
function readEach(pieces: AsyncIterator<Uint8Array>, ms: number) {
  const read = { pieces: 0, isCut: false };
  void (async () => {
    try {
      for (;;) {
        await pieces.next();
        read.pieces += 1;
        await new Promise((resolve) => setTimeout(resolve, ms));
      }
    } catch {
      read.isCut = true;
    }
  })();
  return read;
}

describe('a place of a reader', () => {
  it('is left in peace however slow it is, while nobody waits for one', async () => {
    const { pieces } = await held(new ReadPlaces(1), 1);
    const read = readEach(pieces, 60_000);
    await vi.advanceTimersByTimeAsync(3600_000);
    expect(read.isCut).toBe(false);
    expect(read.pieces).toBeGreaterThanOrEqual(60);
  });

  it('is given to one that waits, once it takes less than 32 KiB a second', async () => {
    const places = new ReadPlaces(2);
    const slow = await held(places, 32 * 1024);
    const quick = await held(places, 32 * 1024);
    const reads = [readEach(slow.pieces, 1100), readEach(quick.pieces, 900)];
    await vi.advanceTimersByTimeAsync(300_000);
    const waiting = places.enter(NEVER);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await waiting).toBeDefined();
    expect(reads.map(({ isCut }) => isCut)).toEqual([true, false]);
    expect([slow.told.left, quick.told.left]).toEqual([1, 0]);
  });

  it('is given to as many as wait, from the slowest', async () => {
    const places = new ReadPlaces(3);
    const slow = [await held(places, 1), await held(places, 1), await held(places, 1)];
    await vi.advanceTimersByTimeAsync(1_000);
    await slow[0]?.pieces.next();
    await vi.advanceTimersByTimeAsync(20_000);
    const waiting = [places.enter(NEVER), places.enter(NEVER)];
    expect((await Promise.all(waiting)).every((place) => place !== undefined)).toBe(true);
    expect(slow.map(({ told }) => told.left)).toEqual([0, 1, 1]);
  });

  it('is kept by one that stands still for less than 10 s, or waits for the server', async () => {
    const places = new ReadPlaces(2);
    const quick = await held(places, 2 ** 20);
    const served = await held(places, 1, 60_000);
    await quick.pieces.next();
    void served.pieces.next();
    await vi.advanceTimersByTimeAsync(1_000);
    const waiting = places.enter(NEVER);
    await vi.advanceTimersByTimeAsync(8_900);
    expect([quick.told.left, served.told.left]).toEqual([0, 0]);
    await vi.advanceTimersByTimeAsync(400);
    expect(await waiting).toBeDefined();
    expect([quick.told.left, served.told.left]).toEqual([1, 0]);
  });

  it('is waited for no longer than 15 s, and not by those that have left', async () => {
    const places = new ReadPlaces(1);
    const { place, pieces } = await held(places, 2 ** 20);
    const read = readEach(pieces, 1_000);
    const waiting = places.enter(NEVER);
    const stop = new AbortController();
    const leaving = places.enter(stop.signal);
    const reason = new Error('left');
    stop.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await waiting).toBeUndefined();
    expect(read.isCut).toBe(false);
    const next = places.enter(NEVER);
    place[Symbol.dispose]();
    expect(await next).toBeDefined();
  });
});
