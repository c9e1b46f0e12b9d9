import { type ErrorCode, IsyncError } from '../../../model/isync-error.ts';
import { nameOf } from '../../../s3/errors.ts';
import { OriginError } from '../origin.ts';

/** Seconds that a client is told to wait for a bucket that asks to slow down. */
const RETRY_AFTER_S = 10;
/** Wrong settings: the bucket itself is well. */
const WRONG_SETTING: ReadonlySet<ErrorCode> = new Set([
  'STORE_REFUSED',
  'STORE_MISSING',
  'CONFIG_INVALID',
  'CLOCK_SKEW',
  'BAD_PATH',
]);

/**
 * Why a request to a bucket that is an origin has failed.
 * @param begun whether the bytes were coming already: what then fails says something of that object only
 */
export function s3Fault(name: string, error: unknown, begun: boolean): OriginError {
  if (error instanceof OriginError) return error;
  const words = `${name}: ${error instanceof Error ? error.message : String(error)}`;
  if (!(error instanceof IsyncError)) return new OriginError(502, words, { isAway: !begun, cause: error });
  if (error.code === 'BUSY')
    return new OriginError(503, words, { isAway: true, retryAfter: RETRY_AFTER_S, cause: error });
  const isAway = !begun && !WRONG_SETTING.has(error.code);
  const isTimeout = ['TimeoutError', 'RequestTimeout'].includes(nameOf(error.cause));
  return new OriginError(isTimeout ? 504 : 502, words, { isAway, cause: error });
}
