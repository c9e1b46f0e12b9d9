import { type ErrorCode, errnoOf, IsyncError, isErrorCode } from '../../model/isync-error.ts';
import { tlsText } from '../../model/tls-text.ts';
import { REPLICATE_PATH } from '../../protocol/limits.ts';
import { connectHint } from './connect-hints.ts';
import { plainText } from './faults.ts';

/** Returns the error of a connection that could not be opened; not `retryable` where only a person can mend it. */
export function connectError(error: unknown, where: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error) ?? '';
  const message = error instanceof Error && error.message !== '' ? error.message : errno;
  if (isTlsError(errno))
    return new IsyncError('TLS_FAILED', `TLS with ${where} failed: ${tlsText(message)}`, {
      cause: error,
      hint: connectHint(errno, message),
    });
  if (errno === 'ERR_INVALID_CHAR')
    return new IsyncError('CONFIG_INVALID', 'the token has characters that no token has', { cause: error });
  if (NO_HANDSHAKE.test(message) || errno.startsWith('HPE_'))
    return new ForeignAnswer(`${where} answers, but not as an isync receiver: ${plainText(message)}`, error);
  return unreachable(where, message, error, connectHint(errno, message));
}

/**
 * What an answer means that is no upgrade; `body` is what came with it. Only a receiver's own refusal, which carries one
 * of our codes, is believed: a status alone is that of whatever stands in between (a login page, a gateway).
 */
export function refusalError({ status, location, body }: HttpAnswer, where: string): IsyncError {
  const told = toldBy(body);
  if (told === undefined) {
    const to = location === undefined ? '' : `, to ${plainText(location)}`;
    return new ForeignAnswer(
      `${where} answered with HTTP status ${status}${to}, and not as an isync receiver`,
    );
  }
  const { code, message } = told;
  if (code === 'UNREACHABLE')
    return new ForeignAnswer(`${where} has no ${REPLICATE_PATH}: ${message}`, undefined, PATH_HINT);
  if (code === 'AUTH_REFUSED') return new IsyncError(code, `${where} refused the token: ${message}`);
  if (code === 'VERSION_UNSUPPORTED')
    return new IsyncError(code, `${where} speaks no protocol version of ours: ${message}`);
  const what = code === 'BUSY' ? 'is busy' : `answered with HTTP status ${status}`;
  return new IsyncError(code, `${where} ${what}: ${message}`, { retryable: true });
}

export interface HttpAnswer {
  readonly status: number;
  /** Where a redirection leads, as the header has it. */
  readonly location?: string | undefined;
  readonly body: string;
}

/** Something answers that is no receiver, such as a gateway. The receiver may be back without a change of settings. */
export class ForeignAnswer extends IsyncError {
  constructor(message: string, cause?: unknown, hint: string = FOREIGN_HINT) {
    super('UNREACHABLE', message, { hint, cause });
  }
}

export function unreachable(where: string, message: string, cause?: unknown, hint?: string): IsyncError {
  return new IsyncError('UNREACHABLE', `${where} can't be reached: ${message}`, { cause, hint });
}

/** The connection stands, and then nothing comes. */
export function notWelcomed(where: string, within: string): IsyncError {
  return new IsyncError('UNREACHABLE', `${where} took the connection, but sent no WELCOME within ${within}`, {
    hint: WELCOME_HINT,
  });
}

/** All that WELCOME waits for. */
const WELCOME_HINT =
  'The receiver waits for its store, or for what an earlier session of this device commits: see its log, and whether its disk or bucket answers.';
const FOREIGN_HINT =
  'Check the address, and what answers there: a login page of the network, a firewall, a proxy whose receiver is down.';
const PATH_HINT = `Check the path of the address: a proxy must pass it on as ${REPLICATE_PATH}.`;

/** What ws says of an answer that is no WebSocket's, or not one of our protocol. */
const NO_HANDSHAKE = /^(Server sent |Invalid (Upgrade|Sec-WebSocket-\S+) header)/;

/** OpenSSL's verification results (`man verify`), Node's own checks, and failures of the handshake itself. */
const TLS_CODES =
  /^(CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|EPROTO$|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/;

function isTlsError(code: string): boolean {
  return TLS_CODES.test(code);
}

/** `{"code", "message"}` of a receiver's refusal; undefined for anything else, which somebody in between may have sent. */
function toldBy(body: string): { code: ErrorCode; message: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('code' in value) || !('message' in value))
    return undefined;
  const { code, message } = value;
  if (typeof code !== 'string' || typeof message !== 'string' || !isErrorCode(code)) return undefined;
  return { code, message: plainText(message) };
}
