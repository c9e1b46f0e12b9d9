import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../model/isync-error.ts';
import { REPLICATE_PATH, SUBPROTOCOL } from '../protocol/limits.ts';
import type { TokenFile, TokenIdentity } from './token-file.ts';

/** Why a request is not upgraded; see the table in PROTOCOL.md. */
export interface Refusal {
  readonly status: 401 | 404 | 426 | 503;
  readonly code: ErrorCode;
  readonly message: string;
}

export type Admission =
  | { readonly admitted: true; readonly identity: TokenIdentity | undefined }
  | { readonly admitted: false; readonly refusal: Refusal };

/** Whether `request` may become a session as far as it alone tells. */
export function admit(request: IncomingMessage, tokens: TokenFile | undefined): Admission {
  if (request.url !== REPLICATE_PATH)
    return refused(404, 'UNREACHABLE', `there is nothing here; replication is at ${REPLICATE_PATH}`);
  if (!offeredProtocols(request).includes(SUBPROTOCOL))
    return refused(426, 'VERSION_UNSUPPORTED', `this receiver speaks the subprotocol ${SUBPROTOCOL}`);
  if (tokens === undefined) {
    // A browser lets any page connect to loopback, but says that it is one. It can't be made to send a token.
    if (request.headers.origin !== undefined)
      return refused(401, 'AUTH_REFUSED', 'no web page may send without a token');
    return { admitted: true, identity: undefined };
  }
  const token = bearerToken(request);
  if (token === undefined) return refused(401, 'AUTH_REFUSED', 'a token is needed');
  const identity = tokens.authenticate(token);
  if (identity === undefined) return refused(401, 'AUTH_REFUSED', 'the token is wrong or has been revoked');
  return { admitted: true, identity };
}

/** Answers on the bare socket, and ends it. */
export function refuse(socket: Duplex, { status, code, message }: Refusal): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    // RFC 9110 asks for these two with their status.
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    ...(status === 426 ? [`Upgrade: websocket`] : []),
  ];
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function refused(status: Refusal['status'], code: ErrorCode, message: string): Admission {
  return { admitted: false, refusal: { status, code, message } };
}

function offeredProtocols(request: IncomingMessage): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').map((name) => name.trim());
}

function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
}
