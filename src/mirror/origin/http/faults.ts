import { errnoOf } from '../../../model/isync-error.ts';
import { OriginError } from '../origin.ts';
import { AddressRefused } from './guarded-connect.ts';

const TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']);
/** For an address that an origin may not have. */
const CURE = 'where it is one of a private network, its rule needs "allowPrivate: true"';
/** A connection that stood has ended. */
const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/**
 * Why a request has failed, where the origin has not said it itself.
 * @param begun whether the head of the answer had come: a body that is cut says something of that object only
 */
export function faultOf(name: string, error: unknown, begun: boolean): OriginError {
  if (error instanceof OriginError) return error;
  if (error instanceof AddressRefused)
    return new OriginError(502, `${name} is not asked: ${error.message}; ${CURE}`, { cause: error });
  const code = errnoOf(error) ?? '';
  const isAway = !begun;
  if (TIMEOUTS.has(code))
    return new OriginError(504, `${name} can't be connected to in time`, { isAway, cause: error });
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new OriginError(502, `${name} answers with too large a head`, { cause: error });
  const words = error instanceof Error && error.message !== '' ? error.message : code;
  const what = begun ? 'has not sent the whole body' : 'gives no answer';
  return new OriginError(502, `${name} ${what}: ${words}`, { isAway, cause: error });
}

/**
 * Whether a request on a connection that had been used before may have met nobody: a server closes an idle connection at any time.
 * @param error what the request failed with, before any answer
 */
export function isConnectionLost(error: unknown): boolean {
  return LOST.has(errnoOf(error) ?? '');
}
