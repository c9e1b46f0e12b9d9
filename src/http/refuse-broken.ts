import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { errnoOf } from '../model/isync-error.ts';

/** How long the refusal of a client that reads nothing may take to be handed to the system, in ms. */
const REFUSAL_MS = 1000;
/** By Node's code; anything else is no HTTP. */
const STATUSES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What is told of a request that can't be read. */
export function statusOfBroken(error: Error): string {
  return STATUSES[errnoOf(error) ?? ''] ?? '400 Bad Request';
}

/** First byte of whoever begins to speak TLS. https://www.rfc-editor.org/rfc/rfc8446#section-5.1 */
const TLS_HANDSHAKE = 0x16;

/** Whether it can't be read because it is TLS: an answer in plain text would look like a fault of the TLS of ours. */
export function isTls(error: Error): boolean {
  return 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) && error.rawPacket[0] === TLS_HANDSHAKE;
}

/**
 * Answers in the place of a handler, and ends the connection. A proxy in front of us would make a 5xx of a connection that just ends,
 * and its own fault of what its client did. Without an answer where that can't be sent any more.
 * @param more further lines of the head
 */
export function refuse(socket: Duplex, status: string, more = ''): void {
  if (!(socket instanceof Socket) || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.on('error', () => {
    // It has left.
  });
  socket.setTimeout(REFUSAL_MS, () => socket.destroy());
  socket.write(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nCache-Control: no-store\r\n${more}Content-Length: 0\r\n\r\n`,
  );
  socket.destroySoon();
}
