import type { Call } from './strace-log.ts';
import { stringsOf } from './strace-log.ts';

/** One binary WebSocket message of a recorded stream. */
export interface Recorded {
  readonly payload: Buffer;
  /** The call that moved its first byte, and the one that moved its last. */
  readonly first: Call;
  readonly last: Call;
}

/** The messages in what `calls` (reads, or writes, of one socket) moved, after the HTTP handshake. Masks must be zero. */
export function messagesIn(calls: readonly Call[]): Recorded[] {
  const moved = calls.map((call) => ({
    call,
    bytes: Buffer.concat(stringsOf(call)).subarray(0, call.result),
  }));
  const bytes = Buffer.concat(moved.map((piece) => piece.bytes));
  const callAt = (position: number): Call => {
    let end = 0;
    for (const { call, bytes } of moved) if (position < (end += bytes.length)) return call;
    throw new Error('beyond the end');
  };
  const messages: Recorded[] = [];
  let at = bytes.indexOf('\r\n\r\n') + 4;
  while (at < bytes.length) {
    const frame = frameAt(bytes, at);
    if (frame === undefined || frame.end > bytes.length) return messages;
    if (frame.binary)
      messages.push({
        payload: bytes.subarray(frame.start, frame.end),
        first: callAt(at),
        last: callAt(frame.end - 1),
      });
    at = frame.end;
  }
  return messages;
}

/** RFC 6455, section 5.2; no fragments. */
function frameAt(bytes: Buffer, at: number): { binary: boolean; start: number; end: number } | undefined {
  if (at + 14 > bytes.length && at + 2 > bytes.length) return undefined;
  const opcode = bytes.readUInt8(at) & 0x0f;
  const second = bytes.readUInt8(at + 1);
  let start = at + 2;
  let length = second & 0x7f;
  if (length === 126) {
    length = bytes.readUInt16BE(start);
    start += 2;
  } else if (length === 127) {
    length = Number(bytes.readBigUInt64BE(start));
    start += 8;
  }
  if ((second & 0x80) !== 0) start += 4;
  return { binary: opcode === 2, start, end: start + length };
}
