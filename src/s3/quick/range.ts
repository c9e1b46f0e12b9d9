import { bare, quoted } from '../answers.ts';
import type { AnswerHead } from './answer-head.ts';
import type { Coming } from './into-buffer.ts';
import type { QuickReads } from './reads.ts';

/**
 * Ranges of large objects, for a third of the processor's time that the SDK takes for them. As with the other quick requests,
 * whatever is not the plain answer is for the SDK: it asks anew, tries again, and tells what is wrong.
 */

export interface QuickRange {
  readonly bucket: string;
  readonly key: string;
  /** Of the version that is wanted, without quotes. */
  readonly etag: string;
  readonly start: number;
  /** The first byte that is not wanted any more, more than `start`. */
  readonly end: number;
  /** Further headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads a range into the beginning of `into`, which is nobody else's until `full` has settled. Resolves once its first bytes
 * come; to undefined where the SDK must ask.
 */
export async function quickRange(
  { connections, ranges }: QuickReads,
  range: QuickRange,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Coming | undefined> {
  const { bucket, key, etag, start, end, headers } = range;
  const condition = { range: `bytes=${start}-${end - 1}`, 'if-match': quoted(etag) };
  const request = { method: 'GET', bucket, key, headers: { ...headers, ...condition } } as const;
  const place = into.subarray(0, end - start);
  return await ranges.try(
    () => connections.ask(request, (head) => (isRange(head, range) ? place : undefined), signal),
    signal,
  );
}

/** Whether these are just the bytes asked for, of just this version; not every server heeds a condition. */
function isRange({ status, headers }: AnswerHead, { etag, start, end }: QuickRange): boolean {
  const told = /^bytes (\d+-\d+)\/\d+$/.exec(headers.get('content-range') ?? '')?.[1];
  return status === 206 && told === `${start}-${end - 1}` && bare(headers.get('etag')) === etag;
}
