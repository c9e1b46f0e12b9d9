import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { type ListenAddress, listenError } from '../../http/listen-address.ts';
import { errnoOf } from '../../model/isync-error.ts';
import { type Check, failure, ok } from './check.ts';

/** For who has the port to answer, in ms. */
const ANSWER_MS = 2_000;

/** How a server of ours is known. */
export interface OwnServer {
  /** As in "this receiver". */
  readonly name: string;
  readonly isTls: boolean;
  /** Where it answers 200, to anybody. */
  readonly path: string;
}

/** Takes the port for a moment. */
export async function checkPort(listen: ListenAddress, own: OwnServer): Promise<Check> {
  const name = 'port';
  const { host, port } = listen;
  const server = createTcpServer((socket) => socket.destroy());
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    return ok(name, port === 0 ? 'a free one is taken' : `${host}:${port} is free`);
  } catch (error) {
    if (errnoOf(error) === 'EADDRINUSE' && (await isAlive(listen, own)))
      return ok(
        name,
        `${host}:${port} is taken by a server that says it is well: this ${own.name}, when it runs already`,
      );
    return failure(name, listenError(error, listen));
  } finally {
    server.close();
  }
}

/** Whether it answers there, as far as one can tell. */
async function isAlive({ host, port }: ListenAddress, { isTls, path }: OwnServer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const options = { host, port, path, timeout: ANSWER_MS, agent: false as const };
  // Whose certificate it is does not matter here: nothing secret is said, and nothing that is answered is believed.
  const request = isTls ? getHttps({ ...options, rejectUnauthorized: false }) : getHttp(options);
  request.once('response', (response) => {
    resolve(response.statusCode === 200);
    response.destroy();
  });
  request.once('timeout', () => request.destroy());
  request.on('error', () => resolve(false));
  return await promise;
}
