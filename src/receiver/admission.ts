import type { IncomingMessage } from 'node:http';
import { bearerToken } from '../access/bearer-token.ts';
import type { ErrorCode } from '../model/isync-error.ts';
import { REPLICATE_PATH, SUBPROTOCOL } from '../protocol/limits.ts';
import type { TokenFile, TokenIdentity } from '../access/token-file.ts';

/** The answer to a request that is not upgraded, as in the table of PROTOCOL.md. */
export interface Refusal {
  readonly status: 401 | 404 | 426 | 503;
  readonly code: ErrorCode;
  readonly message: string;
}

export type Verdict =
  | { readonly admitted: true; readonly identity: TokenIdentity | undefined }
  | { readonly admitted: false; readonly refusal: Refusal };

/** Whether `request` may become a session, by its own path, subprotocol and token. */
export function admit(request: IncomingMessage, tokens: TokenFile | undefined): Verdict {
  if (request.url !== REPLICATE_PATH)
    return refused(404, 'UNREACHABLE', `there is nothing here; replication is at ${REPLICATE_PATH}`);
  if (!offeredProtocols(request).includes(SUBPROTOCOL))
    return refused(426, 'VERSION_UNSUPPORTED', `this receiver speaks the subprotocol ${SUBPROTOCOL}`);
  if (tokens === undefined) {
    // A browser lets any page connect to loopback, with an Origin. No page can make it send a token.
    if (request.headers.origin !== undefined)
      return refused(401, 'AUTH_REFUSED', 'no web page may send without a token');
    return { admitted: true, identity: undefined };
  }
  const token = bearerToken(request.headers.authorization);
  if (token === undefined) return refused(401, 'AUTH_REFUSED', 'a token is needed');
  const identity = tokens.authenticate(token);
  if (identity === undefined) return refused(401, 'AUTH_REFUSED', 'the token is wrong or has been revoked');
  return { admitted: true, identity };
}

export const SHUTTING_DOWN = busy('the receiver is shutting down');
export const NO_SESSION_LEFT = busy('the receiver has all the sessions it may have');
export const NO_SESSION_LEFT_FOR_DEVICE = busy('the device has all the sessions it may have');

function busy(message: string): Refusal {
  return { status: 503, code: 'BUSY', message };
}

function refused(status: Refusal['status'], code: ErrorCode, message: string): Verdict {
  return { admitted: false, refusal: { status, code, message } };
}

function offeredProtocols(request: IncomingMessage): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').map((name) => name.trim());
}
