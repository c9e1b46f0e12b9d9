import { errnoOf, IsyncError, isErrorCode } from '../../model/isync-error.ts';
import { REPLICATE_PATH } from '../../protocol/limits.ts';
import { plainText } from './faults.ts';

/** What a connection that could not be opened means. `retryable` is false where only a person can mend it. */
export function connectError(error: unknown, where: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error) ?? '';
  const message = error instanceof Error && error.message !== '' ? error.message : errno;
  if (isTlsError(errno))
    return new IsyncError('TLS_FAILED', `TLS with ${where} failed: ${message}`, {
      cause: error,
      hint: 'Check the address (wss for TLS, ws without), the certificate and its CA.',
    });
  if (errno === 'ERR_INVALID_CHAR')
    return new IsyncError('CONFIG_INVALID', 'the token has characters that no token has', { cause: error });
  if (message === 'Server sent no subprotocol' || message === 'Server sent an invalid subprotocol')
    return new IsyncError('VERSION_UNSUPPORTED', `${where} answers, but speaks no isync protocol of ours`, {
      cause: error,
    });
  return unreachable(where, message, error, errno === 'ECONNRESET' ? HANG_UP_HINT : undefined);
}

/** What the refusal of an upgrade means; `body` is what came with it. */
export function refusalError(status: number, body: string, where: string): IsyncError {
  const told = toldBy(body);
  const because = told.message === undefined ? '' : `: ${told.message}`;
  switch (status) {
    case 401:
    case 403:
      return new IsyncError('AUTH_REFUSED', `${where} refused the token${because}`);
    case 404:
      return new IsyncError('UNREACHABLE', `${where} has no ${REPLICATE_PATH}${because}`, {
        hint: 'Check that the address is that of an isync receiver.',
      });
    case 426:
      return new IsyncError('VERSION_UNSUPPORTED', `${where} speaks no protocol version of ours${because}`);
    case 429:
    case 503:
      return new IsyncError('BUSY', `${where} is busy${because}`, { retryable: true });
    default:
      return new IsyncError(told.code ?? 'UNREACHABLE', `${where} answered with status ${status}${because}`, {
        retryable: status >= 500,
      });
  }
}

export function unreachable(where: string, message: string, cause?: unknown, hint?: string): IsyncError {
  return new IsyncError('UNREACHABLE', `${where} can't be reached: ${message}`, {
    retryable: true,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** A receiver that expects TLS, or none, just hangs up; so does a bad link, so it is tried again. */
const HANG_UP_HINT =
  'If the receiver runs, check the address: wss:// where it has a certificate, ws:// where not.';

/** OpenSSL's verification results (`man verify`), Node's own checks, and failures of the handshake itself. */
const TLS_CODES =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/;

function isTlsError(code: string): boolean {
  return TLS_CODES.test(code);
}

/** `{"code", "message"}` of a refusal; a proxy in between may send anything, and that is no fault worth telling. */
function toldBy(body: string) {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) return {};
  const code = 'code' in value && typeof value.code === 'string' ? value.code : '';
  const message =
    'message' in value && typeof value.message === 'string' ? plainText(value.message) : undefined;
  return { code: isErrorCode(code) ? code : undefined, message };
}
