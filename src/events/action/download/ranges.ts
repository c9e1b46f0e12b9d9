import { Fifo } from '../../../flow/fifo.ts';
import { Limiter } from '../../../flow/limiter.ts';
import { Scavenger } from '../../../flow/scavenger.ts';

/** Bytes of one ranged read: what a request costs both sides is little beside them, and losing one costs little. */
export const RANGE_BYTES = 8 * 1024 * 1024;
/** Ranges of one object that are read, or being written, at a time: they hide each other's answer times. */
const AHEAD = 4;
/** Ranges in memory, of all objects together: 32 MiB. */
const BUFFERS = 4;

/** Memory for ranges. It is given back to the system when nobody has any of it. */
export class RangeBuffers {
  readonly #places = new Limiter(BUFFERS);
  /** For ranges that come in some hundred buffers of the network's, which are copied into these. */
  readonly scavenger = new Scavenger();
  #free: Buffer[] = [];
  #taken = 0;

  /** Resolves in the order of the calls. Dispose of what it resolves to when its bytes are not needed any more. */
  async take(): Promise<RangeBuffer> {
    const place = await this.#places.enter();
    this.#taken += 1;
    const bytes = this.#free.pop() ?? Buffer.allocUnsafeSlow(RANGE_BYTES);
    return {
      bytes,
      [Symbol.dispose]: () => {
        this.#taken -= 1;
        if (this.#taken === 0) this.#free = [];
        else this.#free.push(bytes);
        place[Symbol.dispose]();
      },
    };
  }
}

export interface RangeBuffer extends Disposable {
  /** {@link RANGE_BYTES}. */
  readonly bytes: Buffer;
}

export interface Range {
  readonly start: number;
  /** The first byte behind it. */
  readonly end: number;
}

/** Reads all bytes of a range into the beginning of `into`, which is nobody else's until the promise has settled. */
export type FetchRange = (range: Range, into: Uint8Array, signal: AbortSignal) => Promise<void>;

/**
 * The bytes of an object from `start` to `size`, in their order, read several ranges at a time. Each piece may be used until
 * the next one is asked for. All reads have ended when the iteration has.
 */
export async function* readRanges(
  { start, size }: { readonly start: number; readonly size: number },
  fetch: FetchRange,
  buffers: RangeBuffers,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const reading = new Fifo<Promise<Filled>>();
  const plan = rangesOf(start, size);
  const readNext = (): void => {
    const { value, done } = plan.next();
    if (done === true) return;
    const filled = readOne(value, fetch, buffers, either);
    filled.catch(() => {
      // Told to whoever waits for it.
    });
    reading.push(filled);
  };
  try {
    for (let i = 0; i < AHEAD; i++) readNext();
    for (let first = reading.shift(); first !== undefined; first = reading.shift()) {
      using filled = await first;
      yield filled.bytes;
      readNext();
    }
  } finally {
    stop.abort();
    for (let rest = reading.shift(); rest !== undefined; rest = reading.shift())
      await rest.then(
        (filled) => filled[Symbol.dispose](),
        () => undefined,
      );
  }
}

interface Filled extends Disposable {
  readonly bytes: Uint8Array;
}

function* rangesOf(start: number, size: number): Generator<Range, undefined> {
  for (let from = start; from < size; from += RANGE_BYTES)
    yield { start: from, end: Math.min(size, from + RANGE_BYTES) };
}

async function readOne(
  range: Range,
  fetch: FetchRange,
  buffers: RangeBuffers,
  signal: AbortSignal,
): Promise<Filled> {
  const buffer = await buffers.take();
  try {
    signal.throwIfAborted();
    await fetch(range, buffer.bytes, signal);
    const bytes = buffer.bytes.subarray(0, range.end - range.start);
    return { bytes, [Symbol.dispose]: () => buffer[Symbol.dispose]() };
  } catch (error) {
    buffer[Symbol.dispose]();
    throw error;
  }
}
