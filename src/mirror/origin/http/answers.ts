import { OriginError } from '../origin.ts';
import { type HeadersIn, valueOf } from './header-values.ts';

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
      retryAfter: retryAfter(valueOf(headers, 'retry-after')),
    });
  throw new OriginError(502, `${name} answers with ${status}`, { isAway: status >= 500 });
}

/** Whole seconds, from the seconds or the date that a header tells. */
function retryAfter(value: string | undefined, now = Date.now()): number {
  const seconds =
    value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : (Date.parse(value ?? '') - now) / 1000;
  if (Number.isNaN(seconds)) return RETRY_AFTER_S.usual;
  return Math.min(RETRY_AFTER_S.most, Math.max(1, Math.ceil(seconds)));
}
