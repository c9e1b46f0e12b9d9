import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly url: URL;
  readonly method: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that takes notices. */
export interface NoticeReceiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Answers the next requests; default: 200 and `{"errcode":0,"errmsg":"ok"}`. */
  answer: (response: ServerResponse, received: Received) => void;
}

export const OK = { errcode: 0, errmsg: 'ok' };

export async function noticeReceiver(): Promise<NoticeReceiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const one = {
        url: new URL(request.url ?? '', 'http://receiver'),
        method: request.method,
        headers: request.headers,
        body: Buffer.concat(pieces).toString(),
      };
      received.push(one);
      receiver.answer(response, one);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver: NoticeReceiver = {
    url: `http://127.0.0.1:${port}`,
    received,
    answer: (response) => response.end(JSON.stringify(OK)),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
