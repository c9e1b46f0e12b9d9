import type { Abortable } from '../../model/abortable.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';

/** The same bytes. A read that breaks goes on behind the last byte that has come, after a wait, as often as attempting allows. */
export function reliableRanges(ranges: ByteRanges, what: string, attempts: AttemptOptions): ByteRanges {
  return {
    size: ranges.size,
    read: (start, end, options = {}) => readOn(ranges, what, start, end, { ...attempts, ...options }),
  };
}

async function* readOn(
  ranges: ByteRanges,
  what: string,
  start: number,
  end: number,
  options: AttemptOptions & Abortable,
): AsyncGenerator<Uint8Array> {
  let at = start;
  let reading: AsyncIterator<Uint8Array> | undefined;
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    reading ??= ranges.read(at, end, { signal: options.signal })[Symbol.asyncIterator]();
    try {
      return await reading.next();
    } catch (error) {
      reading = undefined;
      throw error;
    }
  };
  try {
    while (at < end) {
      // One call a piece, so that each byte that comes begins the time of failures anew.
      const { done, value } = await attempting(`read ${what}`, next, options);
      if (done === true) return;
      at += value.length;
      yield value;
    }
  } finally {
    await reading?.return?.();
  }
}
