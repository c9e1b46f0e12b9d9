import type { WebSocket } from 'ws';
import type { BufferPool } from '../../flow/buffer-pool.ts';

/** A message of fewer bytes has memory of its own: what a piece of the pool holds is held as long as any part of the message. */
const LEAST_BYTES = 512 * 1024;

/**
 * Has `socket` put each large message that came by several reads into memory of `pool`; whoever is done with one gives it back. Node's
 * WebSocket library has no option for that, so it is its own step that takes bytes off what was read, for us piece by piece.
 * Returns false, and changes nothing, where the inside of the library is not as expected.
 */
export function receiveInto(socket: WebSocket, pool: BufferPool): boolean {
  const receiver: unknown = Reflect.get(socket, '_receiver');
  if (typeof receiver !== 'object' || receiver === null) return false;
  const consume: unknown = Reflect.get(receiver, 'consume');
  if (typeof consume !== 'function' || firstRead(receiver) === undefined) return false;
  const taken = (bytes: number): unknown => Reflect.apply(consume, receiver, [bytes]);
  Reflect.set(receiver, 'consume', (bytes: number): unknown => {
    if (bytes < LEAST_BYTES || bytes <= (firstRead(receiver) ?? Infinity)) return taken(bytes);
    const message = pool.take(bytes);
    for (let at = 0; at < bytes;) {
      // Of one read it is no copy.
      const piece = taken(Math.min(bytes - at, firstRead(receiver) ?? Infinity));
      if (!(piece instanceof Uint8Array)) throw new TypeError('the WebSocket library gave no bytes');
      message.set(piece, at);
      at += piece.length;
    }
    return message;
  });
  return true;
}

/** Bytes left of the first read that is not used up, 0 where there is none; undefined where the library keeps no list of them. */
function firstRead(receiver: object): number | undefined {
  const reads: unknown = Reflect.get(receiver, '_buffers');
  if (!Array.isArray(reads)) return undefined;
  const first: unknown = reads[0];
  return first instanceof Uint8Array ? first.length : 0;
}
