import { OriginError } from '../origin.ts';
import { type HeadersIn, timeOf, valueOf } from './header-values.ts';

/** Seconds that a client is told to wait where the origin is busy and does not say, and the longest that it may say. */
const RETRY_AFTER_S = { usual: 10, most: 300 };
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What a status says of an object. @throws OriginError where it says nothing of it */
export function meaningOf(
  name: string,
  status: number,
  headers: HeadersIn,
): 'found' | 'absent' | 'elsewhere' {
  if (status === 200) return 'found';
  if (status === 404 || status === 410) return 'absent';
  if (REDIRECTS.has(status)) return 'elsewhere';
  if (status === 401 || status === 403)
    throw new OriginError(502, `${name} refuses us (${status}): check the headers that the rule sends there`);
  if (status === 429 || status === 503)
    throw new OriginError(503, `${name} is too busy (${status})`, {
      isAway: true,
      retryAfter: retryAfterOf(headers),
    });
  // Whoever asks can make it say so, by a Via of his own: that must not have it left alone.
  if (status === 508) throw new OriginError(508, `${name} says that it is asked in a loop (508)`);
  throw new OriginError(502, `${name} answers with ${status}`, { isAway: status >= 500 });
}

/** Whole seconds, from the seconds or the date that a header tells. */
function retryAfterOf(headers: HeadersIn): number {
  const value = valueOf(headers, 'retry-after') ?? '';
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : secondsUntil(timeOf(headers, 'retry-after'));
  if (seconds === undefined) return RETRY_AFTER_S.usual;
  return Math.min(RETRY_AFTER_S.most, Math.max(1, Math.ceil(seconds)));
}

function secondsUntil(time: number | undefined): number | undefined {
  return time === undefined ? undefined : (time - Date.now()) / 1000;
}
