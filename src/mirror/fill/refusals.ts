import { OriginError } from '../origin/origin.ts';
import type { FillStart } from './fills.ts';
import type { FillsObserver, Refused } from './fills-observer.ts';

/** When a client that met a limit of ours may come again, in s: fills end by the second. */
const RETRY_AFTER_S = 2;

const WORDS: Readonly<Record<Refused, string>> = {
  fills: 'too many objects are being fetched',
  waiting: 'too many requests wait for objects to be fetched',
  spool: 'the spool is full',
  ending: 'the mirror is stopping',
};

/** A request meets a limit of ours. */
export function refusal(reason: Refused, observer: FillsObserver): OriginError {
  observer.refused(reason);
  return new OriginError(503, WORDS[reason], { retryAfter: RETRY_AFTER_S });
}

/** The bucket or the disk fails before anything was passed on. */
export function unavailable(error: unknown): OriginError {
  const words = error instanceof Error ? error.message : String(error);
  return new OriginError(503, words, { retryAfter: RETRY_AFTER_S, cause: error });
}

/** How a fill that fails before its body starts. Where a client is to go by itself (302) and can't, there is nothing for it. */
export function failedStart(error: OriginError, url?: string): FillStart {
  if (error.status !== 302) return { kind: 'failed', error, url: undefined };
  if (url !== undefined) return { kind: 'failed', error, url };
  const message = `${error.message}, and clients can not ask the origin`;
  return { kind: 'failed', error: new OriginError(502, message), url };
}
