import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * A long link: `link PORT RTT_MS BYTES_PER_SECOND` prints its own port and passes connections on to PORT. Each
 * direction is one pipe for all connections: bytes leave it one after the other at the rate, and arrive half a round
 * trip later. A new connection's first bytes wait for the round trip that its handshake would have taken.
 */
const [target, roundTripMs, bytesPerSecond] = process.argv.slice(2).map(Number) as [number, number, number];
const bytesPerMs = bytesPerSecond / 1000;
/** What waits in front of the pipe before it asks the sender to wait, in ms: one round trip, as routers are laid out. */
const queueMs = roundTripMs;
/** Bytes that arrive in one go: about a millisecond of 100 Mbit/s. */
const PIECE_BYTES = 16 * 1024;

/** One direction of the link. */
class Pipe {
  /** When the last of what was handed in has left, in ms. */
  #free = 0;

  /** Hands bytes in; returns when the last of them arrives. */
  take(bytes: number, notBefore: number): number {
    this.#free = Math.max(performance.now(), this.#free, notBefore) + bytes / bytesPerMs;
    return this.#free + roundTripMs / 2;
  }

  /** How long what is handed in now would wait, in ms. */
  waitMs(): number {
    return this.#free - performance.now();
  }
}

const there = new Pipe();
const back = new Pipe();
const server = createServer({ noDelay: true, allowHalfOpen: true }, (sender) => {
  const receiver = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const shaken = performance.now() + roundTripMs;
  pass(sender, receiver, there, shaken);
  pass(receiver, sender, back, shaken);
  for (const [one, other] of [
    [sender, receiver],
    [receiver, sender],
  ] as const)
    one
      .on('error', () => other.destroy())
      .on('close', () => setTimeout(() => other.destroy(), 10 * roundTripMs));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log((server.address() as AddressInfo).port);

function pass(from: Socket, to: Socket, pipe: Pipe, notBefore: number): void {
  /** What is on its way; no bytes stand for the end. */
  const under: { readonly at: number; readonly piece: Buffer }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    const now = performance.now();
    while (under.length > 0 && under[0]!.at <= now) {
      const { piece } = under.shift()!;
      if (piece.length === 0) to.end();
      else to.write(piece);
    }
    if (under.length > 0) timer = setTimeout(deliver, Math.max(1, under[0]!.at - now));
  };
  const put = (piece: Buffer): void => {
    under.push({ at: pipe.take(piece.length, notBefore), piece });
    timer ??= setTimeout(deliver, 1);
  };
  from.on('data', (bytes) => {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) put(bytes.subarray(at, at + PIECE_BYTES));
    const wait = pipe.waitMs() - queueMs;
    if (wait <= 0) return;
    from.pause();
    setTimeout(() => from.resume(), wait);
  });
  from.on('end', () => put(Buffer.alloc(0)));
}
