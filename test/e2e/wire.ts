import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A piece of network between sender and receiver that counts what the sender sends. */
export interface Wire extends AsyncDisposable {
  readonly url: string;
  /** Bytes from the sender so far. */
  sent(): number;
}

/** Passes every connection on to `port` of the loopback. */
export async function startWire(port: number): Promise<Wire> {
  let sent = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      // A killed process resets its connections; the other end learns of it by the close.
      from.on('error', () => from.destroy());
      from.pipe(to);
    }
    near.on('data', (bytes) => {
      sent += bytes.length;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
