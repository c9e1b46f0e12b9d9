import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HttpHandler } from '../../src/http/handler.ts';
import { type HttpLimits, startServer } from '../../src/http/server.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { RecordingLog } from '../recording-log.ts';

const LIMITS: HttpLimits = {
  requestMs: 10_000,
  bodyBytes: 0,
  stallMs: 10_000,
  keepAliveMs: 5_000,
  endMs: 10_000,
  unadmitted: { total: 100, perAddress: 100 },
};

async function serve(handler: HttpHandler, limits: Partial<HttpLimits>): Promise<number> {
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
  return server.port;
}

async function tcp(port: number, say: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(say);
  return socket;
}

describe('a request', () => {
  it('of a client that sends no more is answered where half-closed ones may wait', async () => {
    async function* pieces(target: string) {
      for (let i = 0; i < 30; i++) yield Buffer.alloc(100_000, target.at(-1));
    }
    const handler: HttpHandler = async ({ target }) => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { status: 200, body: pieces(target) };
    };
    const port = await serve(handler, { halfClosedMs: 60_000 });
    const socket = await tcp(port, 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.end();
    const told = await text(socket);
    expect(told.match(/^HTTP\/1\.1 200 OK/gm)?.length ?? 0).toBe(2);
    expect(told.length).toBeGreaterThan(6_000_000);
  });

  it('of a half-closed client for which no answer comes in time is taken for one that has left', async () => {
    const left = Promise.withResolvers<void>();
    const port = await serve(
      async ({ signal }) => {
        signal.addEventListener('abort', () => left.resolve());
        await left.promise;
        throw signal.reason;
      },
      { halfClosedMs: 50 },
    );
    const socket = await tcp(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.end();
    const closed = once(socket.resume(), 'close');
    await left.promise;
    await closed;
    expect(socket.bytesRead).toBe(0);
  });

  it('may have as long a head as it is told', async () => {
    const port = await serve(async () => ({ status: 204 }), { headBytes: 32 * 1024 });
    const statusOf = async (bytes: number): Promise<string> => {
      const cookie = `Cookie: ${'x'.repeat(bytes)}\r\n`;
      const socket = await tcp(port, `GET / HTTP/1.1\r\nHost: x\r\n${cookie}Connection: close\r\n\r\n`);
      return (await text(socket)).slice(0, 12);
    };
    expect([await statusOf(31_000), await statusOf(33_000)]).toEqual(['HTTP/1.1 204', 'HTTP/1.1 431']);
  });
});
