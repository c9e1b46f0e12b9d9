import { isErrorCode, IsyncError, type ErrorCode } from '../../model/isync-error.ts';
import { cutText } from '../../protocol/bytes.ts';
import { errorCodeOfClose } from '../../protocol/close-codes.ts';
import { MAX_TEXT_BYTES } from '../../protocol/limits.ts';

export function protocolFault(what: string): IsyncError {
  return new IsyncError('PROTOCOL', `the receiver broke the protocol: ${what}`);
}

export function linkLost(message: string, cause?: unknown): IsyncError {
  return new IsyncError('LINK_LOST', message, { cause });
}

/** Returns the error that the close of a standing connection means. */
export function closeError(code: number, reason: string): IsyncError {
  const message = `the connection was closed (${code}${reason === '' ? '' : `: ${plainText(reason)}`})`;
  return new IsyncError(errorCodeOfClose(code), message);
}

/** ws names faults of framing (too large, bad opcode) WS_ERR_…; all else is the network's. */
export function socketError(error: Error): IsyncError {
  if ('code' in error && typeof error.code === 'string' && error.code.startsWith('WS_ERR_'))
    return protocolFault(error.message);
  return linkLost(`the connection broke: ${error.message}`, error);
}

/** Returns the error in a REFUSED or FAILED message. */
export function toldError(
  { code, message, retryable }: { code: string; message: string; retryable: boolean },
  path?: string,
): IsyncError {
  const known: ErrorCode = isErrorCode(code) ? code : 'STORE_FAILED';
  return new IsyncError(known, plainText(message), { retryable, path });
}

/** Returns text of the other side as one line of bounded length, so that it can't pass for output of ours. */
export function plainText(text: string): string {
  return cutText(text.replaceAll(/\p{Cc}+/gu, ' '), MAX_TEXT_BYTES);
}
