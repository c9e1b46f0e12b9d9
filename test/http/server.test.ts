import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as httpRequest, Agent } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HttpError, type HttpHandler, type HttpRequest } from '../../src/http/handler.ts';
import { type HttpLimits, startServer } from '../../src/http/server.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { RecordingLog } from '../recording-log.ts';

const LIMITS: HttpLimits = {
  requestMs: 10_000,
  bodyBytes: 1000,
  stallMs: 10_000,
  keepAliveMs: 5_000,
  endMs: 10_000,
  unadmitted: { total: 100, perAddress: 100 },
};

async function serve(handler: HttpHandler, limits: Partial<HttpLimits> = {}) {
  const log = new RecordingLog();
  const server = await startServer({
    listen: { host: '127.0.0.1', port: 0 },
    tls: undefined,
    limits: { ...LIMITS, ...limits },
    handler,
    log,
    warnings: new ThrottledLog(log),
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { server, log, url: server.url('http'), port: server.port };
}

async function tcp(port: number, say: string): Promise<Socket> {
  const socket = connectTcp(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(say);
  return socket;
}

function ask(port: number, method: string, path: string, agent?: Agent): ClientRequest {
  const request = httpRequest({ port, host: '127.0.0.1', method, path, agent: agent ?? false });
  request.on('error', () => undefined);
  onTestFinished(() => void request.destroy());
  return request;
}

async function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

const wholeBody = ({ body }: HttpRequest): Promise<string> => text(body);

/** Chunks without end, and how many have been taken. */
function endless(chunk = Buffer.alloc(64 * 1024)) {
  const told = { taken: 0, ended: false };
  async function* chunks() {
    try {
      for (;;) {
        told.taken++;
        yield chunk;
      }
    } finally {
      told.ended = true;
    }
  }
  return { told, body: chunks() };
}

describe('a request', () => {
  it('reaches the handler as it was sent: raw path, headers, address, body', async () => {
    const seen: unknown[] = [];
    const { port } = await serve(async (request) => {
      const { method, target, headers, remoteAddress } = request;
      seen.push({ method, target, x: headers['x-a'], remoteAddress, body: await wholeBody(request) });
      return { status: 204 };
    });
    const target = '//evil.example/a%2Fb/../%2e%2e/c?q=%20&q=2';
    const head = `POST ${target} HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`;
    const socket = await tcp(port, `${head}body`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
    expect(seen).toEqual([{ method: 'POST', target, x: '1, 2', remoteAddress: '127.0.0.1', body: 'body' }]);
  });

  it('with a body over the limit gets 413, whether it says so before or not', async () => {
    const { url, log } = await serve(async (request) => ({ status: 200, body: await wholeBody(request) }));
    const large = Buffer.alloc(1001);
    async function* chunked() {
      yield large.subarray(0, 600);
      yield large.subarray(600);
    }
    const post = (body: unknown) =>
      fetch(url, { method: 'POST', body, duplex: 'half' } as unknown as RequestInit);
    for (const body of [large, ReadableStream.from(chunked())]) {
      const response = await post(body);
      expect([response.status, await response.text()]).toEqual([413, 'the body is larger than 1000 bytes\n']);
    }
    expect((await post(large.subarray(1))).status).toBe(200);
    expect(log.lines).toEqual([]);
  });

  it('whose handler fails gets an error that no cache keeps', async () => {
    const { url } = await serve(async ({ target }) => {
      throw target === '/' ? new Error('oh') : new HttpError(413, 'no');
    });
    for (const [path, status] of [
      ['/', 500],
      ['/a', 413],
    ] as const) {
      const response = await fetch(`${url}${path}`);
      expect([response.status, response.headers.get('cache-control')]).toEqual([status, 'no-store']);
    }
  });

  it('whose body never comes is cut at the deadline', async () => {
    const errors: unknown[] = [];
    const handler: HttpHandler = async (request) => ({
      status: 200,
      body: await wholeBody(request).catch((error: unknown) => {
        errors.push(error);
        throw error;
      }),
    });
    // Long enough for the request to begin on a busy machine.
    const { port, log } = await serve(handler, { requestMs: 500 });
    const socket = await tcp(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo');
    await once(socket.resume(), 'close');
    await vi.waitFor(() => expect(errors).toMatchObject([{ status: 400 }]), 60_000);
    expect(log.at('error')).toEqual([]);
  });

  it.each([
    ['GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', '400 Bad Request'],
    ['GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n', '400 Bad Request'],
    ['\x15\x03\x01 no HTTP\r\n\r\n', '400 Bad Request'],
    ['GET / HTTP/1.1\r\n\r\n', '400 Bad Request'],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, '431 Request Header Fields Too Large'],
    ['CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n', '405 Method Not Allowed'],
  ])('that can not be read is told so, and the connection ends: %j', async (say, status) => {
    const { port, log } = await serve(async () => ({ status: 204 }));
    const told = await text(await tcp(port, say));
    expect(told.slice(0, told.indexOf('\r\n'))).toBe(`HTTP/1.1 ${status}`);
    expect(log.at('error')).toEqual([]);
  });

  it('that is none, but TLS, gets no answer in plain text', async () => {
    const { port } = await serve(async () => ({ status: 204 }));
    expect(await text(await tcp(port, '\x16\x03\x01\0\xff'))).toBe('');
  });

  it('whose head does not come in time is told so', async () => {
    const { port } = await serve(async () => ({ status: 204 }), { requestMs: 500 });
    for (const say of ['', 'GET / HTTP/1.1\r\nHost: x\r\n'])
      expect(await text(await tcp(port, say))).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  });

  it('that can not be read is told nothing in the midst of another response', async () => {
    const { body, told } = endless();
    const { port } = await serve(async () => ({ status: 200, body }));
    const socket = await tcp(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(told.taken).toBeGreaterThan(1), 60_000);
    socket.write('\0\r\n\r\n');
    expect(await text(socket).catch(() => '')).not.toContain('400 Bad Request');
    await vi.waitFor(() => expect(told.ended).toBe(true), 60_000);
  });

  it('tells the handler when its client has left', async () => {
    const left = Promise.withResolvers<void>();
    const { port, log } = await serve(async ({ signal }) => {
      socket.destroy();
      signal.addEventListener('abort', () => left.resolve());
      await left.promise;
      throw signal.reason;
    });
    const socket = await tcp(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await left.promise;
    expect(log.lines).toEqual([]);
  });
});

describe('a response', () => {
  it('is that of the error where the handler rejects, and 500 with a line of log for a fault', async () => {
    const { url, log } = await serve(async ({ target }) => {
      if (target === '/refused') throw new HttpError(429, 'slower');
      throw new Error('secret');
    });
    const refused = await fetch(`${url}/refused`);
    expect([refused.status, await refused.text()]).toEqual([429, 'slower\n']);
    expect(log.lines).toEqual([]);
    const failed = await fetch(url);
    expect([failed.status, await failed.text()]).toEqual([500, 'a fault in the server\n']);
    expect(log.at('error')).toMatchObject([{ fields: { err: { message: 'secret' } } }]);
  });

  it('is taken from the handler no faster than the client reads it', async () => {
    const { told, body } = endless();
    const { port } = await serve(async () => ({ status: 200, body }));
    const response = await responseTo(ask(port, 'GET', '/'));
    const held = async (): Promise<number> => {
      const before = told.taken;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return told.taken - before;
    };
    await vi.waitFor(async () => expect(await held()).toBe(0), { timeout: 60_000 });
    const before = told.taken;
    expect(before).toBeLessThan(1000);
    response.resume();
    await vi.waitFor(() => expect(told.taken).toBeGreaterThan(before + 100), 60_000);
    response.destroy();
    await vi.waitFor(() => expect(told.ended).toBe(true), 60_000);
  });

  it('that a client does not read is cut at the deadline', async () => {
    const { told, body } = endless();
    const { port, log } = await serve(async () => ({ status: 200, body }), { stallMs: 100 });
    await tcp(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(told.ended).toBe(true), { timeout: 60_000 });
    expect(log.lines).toEqual([]);
  });

  it('with a body that is slow to come is not cut', async () => {
    async function* slow() {
      yield Buffer.from('a');
      await new Promise((resolve) => setTimeout(resolve, 150));
      yield Buffer.from('b');
    }
    const { url } = await serve(async () => ({ status: 200, body: slow() }), { stallMs: 50 });
    expect(await (await fetch(url)).text()).toBe('ab');
  });

  it('whose body fails ends as one that is not whole', async () => {
    async function* failing() {
      yield Buffer.from('a');
      throw new Error('the origin is gone');
    }
    const { url, log } = await serve(async () => ({ status: 200, body: failing() }));
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
    await vi.waitFor(
      () => expect(log.at('warn')).toMatchObject([{ fields: { err: { message: 'the origin is gone' } } }]),
      60_000,
    );
  });

  it('to HEAD has the headers of GET and no body; chunks are ended unread', async () => {
    let ended = false;
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: Buffer.from('x') }),
        return: async () => {
          ended = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const { port } = await serve(async ({ target }) =>
      target === '/text'
        ? { status: 200, body: 'text' }
        : { status: 200, headers: { 'content-length': '9' }, body },
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    for (const [path, length] of [
      ['/text', '4'],
      ['/chunks', '9'],
    ] as const) {
      const response = await responseTo(ask(port, 'HEAD', path, agent));
      expect(response.headers['content-length']).toBe(length);
      expect(await text(response)).toBe('');
    }
    expect(ended).toBe(true);
  });
});

describe('a connection', () => {
  it('serves one request after the other, and only one where it is not kept alive', async () => {
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    const handler: HttpHandler = async () => ({ status: 200, body: 'x' });
    const [kept, single] = [await serve(handler), await serve(handler, { keepAliveMs: 0 })];
    expect(await text(await tcp(single.port, request.repeat(2)))).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*x$/);
    const socket = await tcp(kept.port, request);
    for (let time = 0; time < 2; time++) {
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      expect(bytes.toString()).toMatch(/x$/);
      socket.write(request);
    }
  });
});

describe('a flood of idle connections', () => {
  const FEW = { unadmitted: { total: 3, perAddress: 3 } };
  const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';

  /** A connection that has had its first answer, and the flood after it. */
  async function flooded(handler: HttpHandler) {
    const { port } = await serve(handler, FEW);
    const socket = await tcp(port, REQUEST);
    await once(socket, 'data');
    const idle = await Promise.all(Array.from({ length: 12 }, () => tcp(port, '')));
    for (const each of idle) each.resume();
    await vi.waitFor(
      () => expect(idle.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(9),
      60_000,
    );
    return socket;
  }

  it('leaves one that was admitted by an earlier request', async () => {
    const socket = await flooded(async ({ admitted }) => {
      admitted();
      admitted();
      return { status: 200, body: 'x' };
    });
    socket.write(REQUEST);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    expect(bytes.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('cuts one that no request has admitted', async () => {
    const socket = await flooded(async () => ({ status: 200, body: 'x' }));
    await vi.waitFor(() => expect(socket.closed).toBe(true), 60_000);
  });
});

describe('the end of a server', () => {
  it('lets responses under way end, and takes no new connection', async () => {
    const [asking, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { server, port } = await serve(async () => {
      asking.resolve();
      await gate.promise;
      return { status: 200, body: 'done' };
    });
    const asked = responseTo(ask(port, 'GET', '/'));
    const idle = await tcp(port, '');
    await asking.promise;
    const ended = server.end();
    await expect(fetch(server.url('http'))).rejects.toThrow('fetch failed');
    gate.resolve();
    const response = await asked;
    expect([response.headers.connection, await text(response)]).toEqual(['close', 'done']);
    expect(await ended).toBe(true);
    await once(idle.resume(), 'close');
  });

  it('cuts what takes longer than it may', async () => {
    const asking = Promise.withResolvers<void>();
    const never = new Promise<never>(() => undefined);
    const handler = (): Promise<never> => {
      asking.resolve();
      return never;
    };
    const { server, port } = await serve(handler, { endMs: 50 });
    const socket = await tcp(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await asking.promise;
    expect(await server.end()).toBe(false);
    await once(socket.resume(), 'close');
  });
});
