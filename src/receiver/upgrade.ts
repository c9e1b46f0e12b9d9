import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { MAX_MESSAGE_BYTES, SUBPROTOCOL } from '../protocol/limits.ts';
import type { Refusal } from './admission.ts';
import { MAX_BUFFERED_READS, MAX_FRAGMENTS } from './receiver-limits.ts';

/** Makes WebSockets of requests that have been admitted. It has no server of its own. */
export function createUpgrader(closeMs: number): WebSocketServer {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_BUFFERED_READS,
    closeTimeout: closeMs,
    // A text message is refused whatever it says.
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
  };
  return new WebSocketServer(options);
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
