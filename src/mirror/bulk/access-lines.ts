import { createReadStream } from 'node:fs';
import { IsyncError } from '../../model/isync-error.ts';
import type { ByPrefix } from './by-prefix.ts';
import { linesOf } from './lines.ts';

/** Longest line of a log, in bytes: one of a request has some hundreds, one with an error some thousands. A longer one is not read. */
const MOST_LINE_BYTES = 64 * 1024;
/** Latest time that a date can tell, in ms since the epoch. */
const LATEST_MS = 8.64e15;

/** What access logs tell of the time since. */
export interface AccessLines {
  /** Requests, of all outcomes. */
  requests: number;
  /** That an origin was asked for, and answered. */
  asked: number;
  /** That were sent to the origin: too large, or of a kind that is not kept. */
  redirected: number;
  /** That failed; what would have come from the origin is not known. */
  failed: number;
  /** Requests that the server has left out of its log, as it tells. */
  unsaid: number;
  /** Lines that are no JSON. */
  unreadable: number;
  /** The first and last request of all, in ms since the epoch; undefined where there is none. */
  firstMs: number | undefined;
  lastMs: number | undefined;
}

export function noAccessLines(): AccessLines {
  return {
    requests: 0,
    asked: 0,
    redirected: 0,
    failed: 0,
    unsaid: 0,
    unreadable: 0,
    firstMs: undefined,
    lastMs: undefined,
  };
}

/**
 * Counts what the log of a server in `path` tells since `sinceMs`.
 * @throws IsyncError FILE_UNREADABLE
 */
export async function readAccessLog(
  path: string,
  {
    sinceMs,
    byPrefix,
    signal,
  }: { readonly sinceMs: number; readonly byPrefix: ByPrefix; readonly signal: AbortSignal },
  told: AccessLines,
): Promise<void> {
  try {
    const chunks: AsyncIterable<Buffer> = createReadStream(path, { signal });
    for await (const line of linesOf(chunks, MOST_LINE_BYTES, undefined)) {
      const fields = fieldsOf(line);
      if (fields === undefined) told.unreadable += 1;
      else count(fields, sinceMs, byPrefix, told);
    }
  } catch (error) {
    signal.throwIfAborted();
    const words = error instanceof Error ? error.message : String(error);
    throw new IsyncError('FILE_UNREADABLE', `the log can't be read: ${words}`, {
      path,
      hint: 'Name files with the log of "isync mirror" with --log, unpacked, and such that isync may read.',
      cause: error,
    });
  }
}

function count(fields: Fields, sinceMs: number, byPrefix: ByPrefix, told: AccessLines): void {
  const { msg, key, outcome, status, time, unsaid } = fields;
  if (msg !== 'request' || typeof key !== 'string' || typeof status !== 'number') return;
  const atMs = typeof time === 'number' ? time : Date.parse(String(time));
  if (!(Math.abs(atMs) <= LATEST_MS)) return;
  told.firstMs = Math.min(told.firstMs ?? atMs, atMs);
  told.lastMs = Math.max(told.lastMs ?? atMs, atMs);
  if (atMs < sinceMs) return;
  told.requests += 1;
  if (typeof unsaid === 'number' && Number.isSafeInteger(unsaid)) told.unsaid += unsaid;
  if ((outcome === 'MISS' || outcome === 'JOINED') && status < 400) {
    told.asked += 1;
    byPrefix.of(key, atMs).asked += 1;
  } else if (outcome === 'BYPASS' && status === 302) {
    told.redirected += 1;
    byPrefix.of(key, atMs).redirected += 1;
  } else if (outcome === 'ERROR') told.failed += 1;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
