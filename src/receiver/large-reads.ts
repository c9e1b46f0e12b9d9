import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Bytes read from a socket at a time. Node reads 64 KiB, each by a system call, a buffer and a callback of its own. With 1 MiB a large
 * file takes 5 % less CPU still, but twice as much memory is read before a session can be paused.
 */
const READ_BYTES = 512 * 1024;
/** What Node reads at a time, in bytes: a message that holds no more than that is left as it is. */
const NODE_READ_BYTES = 64 * 1024;

/** All sockets are read into it: a read, and the copy of what it brought, are one step of the event loop. */
let shared: Buffer | undefined;

/**
 * Has `socket` read up to 512 KiB at a time and hand that on by its 'data' event, as the option `onread` of a socket that connects
 * does; Node has no such option for one that was accepted. Returns false, and changes nothing, where the socket is none of TCP,
 * holds bytes already, or where the inside of this Node is not as expected.
 */
export function readLarge(socket: Socket): boolean {
  if (socket instanceof TLSSocket || socket.readableLength > 0) return false;
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return false;
  const use: unknown = Reflect.get(handle, 'useUserBuffer');
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map((name) =>
    Object.getOwnPropertySymbols(socket).find(({ description }) => description === name),
  );
  if (typeof use !== 'function' || buffer === undefined || callback === undefined || generator === undefined)
    return false;
  for (const symbol of [buffer, callback, generator]) if (Reflect.get(socket, symbol) !== null) return false;
  shared ??= Buffer.allocUnsafeSlow(READ_BYTES);
  Reflect.set(socket, buffer, shared);
  Reflect.set(socket, callback, (length: number, bytes: Buffer) => {
    const read = Buffer.allocUnsafeSlow(length);
    bytes.copy(read, 0, 0, length);
    socket.emit('data', read);
  });
  Reflect.apply(use, handle, [shared]);
  return true;
}

/** `message`, copied where it is less than half of the read that would be held for it: what a session holds is counted by its messages. */
export function apartFromRead(message: Buffer): Buffer {
  const held = message.buffer.byteLength;
  return held <= NODE_READ_BYTES || held <= 2 * message.length ? message : Buffer.from(message);
}
