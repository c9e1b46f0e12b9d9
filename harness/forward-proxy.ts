import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/** A forward proxy to which every host is this machine. */
export interface ForwardProxy extends AsyncDisposable {
  readonly url: string;
  /** What it was asked for: `CONNECT backup.example:7400`, `GET http://s3.example:80/x`. */
  readonly asked: readonly string[];
}

export async function startForwardProxy(): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((incoming, response) => {
    asked.push(`${incoming.method} ${incoming.url}`);
    forward(incoming, response);
  });
  server.on('connect', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    asked.push(`CONNECT ${incoming.url}`);
    const port = Number(incoming.url?.split(':').at(-1));
    const to = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      to.write(head);
      to.pipe(socket).pipe(to);
    });
    for (const end of [socket, to]) {
      sockets.add(end);
      end.on('error', () => {
        socket.destroy();
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(incoming: IncomingMessage, response: ServerResponse): void {
  const { port, pathname, search } = new URL(incoming.url ?? '');
  const { method, headers } = incoming;
  const to = request({ host: '127.0.0.1', port, method, path: `${pathname}${search}`, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  to.on('error', () => response.destroy());
  incoming.pipe(to);
}
