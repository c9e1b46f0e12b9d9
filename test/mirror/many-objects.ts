import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { contentOf } from '../../harness/data-tree.ts';

/** An object of an origin that has very many, as its number alone tells. */
export interface NumberedObject {
  /** Of the request and of the key. */
  readonly path: string;
  readonly size: number;
  /** As the origin sends them, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

const TYPES = ['image/jpeg', 'text/html; charset=iso-8859-1', 'application/json', 'text/plain', ''] as const;
const KIB = 1024;

/** Mostly small; some that do not fit into a block of the spool, and a few that are larger than what is put from memory. */
export function numberedObject(index: number): NumberedObject {
  const size =
    index % 500 === 7
      ? 8 * KIB * KIB + index
      : index % 40 === 3
        ? 1_000_000 + index
        : (index * 7919) % (20 * KIB);
  const type = TYPES[index % TYPES.length] ?? '';
  return {
    path: `d${index % 97}/object ${index}.png`,
    size,
    headers: {
      'content-length': String(size),
      ...(type !== '' && { 'content-type': type }),
      ...(index % 7 === 0 && { 'content-encoding': 'gzip' }),
      ...(index % 3 === 0 && { 'content-disposition': `attachment; filename="${index}.bin"` }),
      ...(index % 2 === 0 && { 'cache-control': `max-age=${index}` }),
      'x-amz-meta-number': String(index),
      etag: `"version-${index}"`,
      'last-modified': new Date(Date.UTC(2020, 0, 1) + index * 60_000).toUTCString(),
    },
  };
}

export function contentOfNumbered({ path, size }: NumberedObject): Buffer {
  return contentOf(path, size);
}

export function md5OfNumbered(object: NumberedObject): string {
  return createHash('md5').update(contentOfNumbered(object)).digest('hex');
}

export interface NumberedOrigin extends Disposable {
  readonly url: string;
  /** Paths of GETs so far. */
  readonly asked: string[];
}

/** Has each {@link numberedObject} below `count`. */
export async function startNumberedOrigin(count: number): Promise<NumberedOrigin> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    if (request.method === 'GET') asked.push(path);
    const index = Number(/ (\d+)\./.exec(path)?.[1] ?? NaN);
    if (!(index < count) || numberedObject(index).path !== path) {
      response.writeHead(404).end();
      return;
    }
    const object = numberedObject(index);
    response.writeHead(200, object.headers);
    response.end(request.method === 'HEAD' ? undefined : contentOfNumbered(object));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** A client that unpacks nothing, and rejects where a body does not come whole. */
export class PlainClient implements Disposable {
  readonly #agent: Agent;

  /** @param keepAlive whether connections serve several requests. One may be cut behind a body that was whole but for its MD5. */
  constructor(keepAlive = true) {
    this.#agent = new Agent({ keepAlive });
  }

  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Got> {
    const request = httpRequest(url, { agent: this.#agent, headers });
    const failed = once(request, 'error').then(([error]) => {
      throw error;
    });
    failed.catch(() => undefined);
    request.end();
    const [response] = (await Promise.race([once(request, 'response'), failed])) as [IncomingMessage];
    const body = await buffer(response);
    if (!response.complete) throw new Error('the body was cut');
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
