import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Bytes read from a socket at a time. Node reads 64 KiB, each by a system call, a buffer and a callback of its own. With 1 MiB a large
 * file takes 5 % less CPU still, but twice as much memory is read before a session can be paused.
 */
const READ_BYTES = 512 * 1024;
/** What Node reads at a time, in bytes: a message that holds no more than that is left as it is. */
const NODE_READ_BYTES = 64 * 1024;

/** All accepted sockets are read into it: a read, and the copy of what it brought, are one step of the event loop. */
let shared: Buffer | undefined;
/** Memory that will hold other bytes soon. */
const rings = new WeakSet<ArrayBufferLike>();

/**
 * Has `socket` read up to 512 KiB at a time and hand that on by its 'data' event, as the option `onread` of a socket that connects
 * does; Node has no such option for one that was accepted, nor for that of a WebSocket. Returns false, and changes nothing, where the
 * socket is none of TCP, holds bytes already, or where the inside of this Node is not as expected.
 */
export function readLarge(socket: Socket): boolean {
  shared ??= Buffer.allocUnsafeSlow(READ_BYTES);
  return readInto(socket, shared, (length, bytes) => {
    const read = Buffer.allocUnsafeSlow(length);
    bytes.copy(read, 0, 0, length);
    socket.emit('data', read);
  });
}

/**
 * The same for the one socket of a process that gets large messages by it: what was read is not copied, and stays for a while only.
 * Its WebSocket copies each message that came by several reads, and {@link apartFromRead} each that came by one.
 * @param keptBytes bytes for which what was read stays as it is while more is read: the largest message with all its headers
 */
export function readLargeInRing(socket: Socket, keptBytes: number): boolean {
  const ring = Buffer.allocUnsafeSlow(keptBytes + 2 * READ_BYTES);
  rings.add(ring.buffer);
  let at = 0;
  const next = (): Buffer => {
    if (at + READ_BYTES > ring.length) at = 0;
    return ring.subarray(at, at + READ_BYTES);
  };
  const onRead = (length: number, bytes: Buffer): void => {
    at += length;
    socket.emit('data', bytes.subarray(0, length));
  };
  return readInto(socket, next(), onRead, next);
}

function readInto(
  socket: Socket,
  first: Buffer,
  onRead: (length: number, bytes: Buffer) => void,
  next: (() => Buffer) | null = null,
): boolean {
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
  Reflect.set(socket, buffer, first);
  Reflect.set(socket, callback, onRead);
  Reflect.set(socket, generator, next);
  Reflect.apply(use, handle, [first]);
  return true;
}

/**
 * `message`, copied where it lies in memory that is read into again, or is less than half of the read that would be held for it: what
 * a session holds is counted by its messages.
 */
export function apartFromRead(message: Buffer): Buffer {
  const held = message.buffer.byteLength;
  const isApart = held <= NODE_READ_BYTES || (held <= 2 * message.length && !rings.has(message.buffer));
  return isApart ? message : Buffer.from(message);
}
