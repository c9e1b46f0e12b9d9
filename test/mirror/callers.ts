import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { PassThrough, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { startServer } from '../../src/http/server.ts';
import { ThrottledLog } from '../../src/http/throttled-log.ts';
import { answerBuffered, BUFFERED_BYTES } from '../../src/mirror/lambda/buffered.ts';
import { answerStreamed, STREAMED_BYTES } from '../../src/mirror/lambda/streamed.ts';
import type { MirrorHandler } from '../../src/mirror/serve/mirror-handler.ts';
import type { Log } from '../../src/model/log.ts';
import { urlEvent } from './url-event.ts';

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Somebody who calls the handler of a mirror. */
export interface Caller {
  /** Rejects where the client would see a response that is cut. */
  ask(path: string, asked?: Asked): Promise<Told>;
  /** Where it listens, if it does. */
  readonly port: number | undefined;
  end(): Promise<unknown>;
}

export interface CallerKind {
  readonly name: string;
  /** Most bytes of a body that it passes on. */
  readonly mostBytes: number | undefined;
  /** What comes of a body that is cut. */
  readonly cut: 'connection' | 502;
  /**
   * @param settled resolves when nothing is done behind a response any more
   * @param port where it listens, if it does; default: any
   */
  start(handler: MirrorHandler, log: Log, settled: () => Promise<void>, port?: number): Promise<Caller>;
}

/** Time that a function has for an invocation, in ms. */
const REMAINING_MS = 300_000;
const never = new AbortController().signal;

const server: CallerKind = {
  name: "Node's server",
  mostBytes: undefined,
  cut: 'connection',
  start: async (handler, log, _settled, port = 0) => {
    const http = await startServer({
      listen: { host: '127.0.0.1', port },
      tls: undefined,
      limits: {
        requestMs: 30_000,
        bodyBytes: 0,
        stallMs: 30_000,
        keepAliveMs: 5_000,
        endMs: 10_000,
        unadmitted: { total: 4096, perAddress: 4096 },
      },
      handler,
      log,
      warnings: new ThrottledLog(log),
    });
    return {
      ask: async (path, asked) => await ask(http.port, path, asked),
      port: http.port,
      end: async () => await http.end(),
    };
  },
};

/** As src/mirror/lambda/index.ts calls it, for its `handler`. */
const buffering: CallerKind = {
  name: 'a function URL',
  mostBytes: BUFFERED_BYTES,
  cut: 502,
  start: async (handler, log, settled) => ({
    ask: async (path, { method = 'GET', headers } = {}) => {
      const event = urlEvent(path, method, headers);
      const result = await answerBuffered((request) => handler(request, limits()), event, never, log);
      await settled();
      // As Lambda takes it: a JSON of 6 MB at most.
      const text = JSON.stringify(result);
      expect(text.length).toBeLessThan(6 * 1024 * 1024);
      const { statusCode, headers: told, body, isBase64Encoded } = JSON.parse(text) as typeof result;
      expect(isBase64Encoded).toBe(true);
      return { status: statusCode, headers: told, body: Buffer.from(body, 'base64') };
    },
    port: undefined,
    end: async () => undefined,
  }),
};

/** The same for its `streamHandler`. */
const streaming: CallerKind = {
  name: 'a function URL that streams',
  mostBytes: STREAMED_BYTES,
  cut: 'connection',
  start: async (handler, log, settled) => ({
    ask: async (path, { method = 'GET', headers } = {}) => {
      const event = urlEvent(path, method, headers);
      const stream = new PassThrough();
      let metadata: { statusCode: number; headers: Readonly<Record<string, string>> } | undefined;
      const HttpResponseStream = {
        from: (to: Writable, given: NonNullable<typeof metadata>) => {
          metadata = given;
          return to;
        },
      };
      const [body] = await Promise.all([
        buffer(stream),
        answerStreamed(
          (request) => handler(request, limits()),
          event,
          stream,
          { HttpResponseStream },
          {
            signal: never,
            log,
          },
        ),
      ]);
      await settled();
      return { status: metadata?.statusCode ?? 0, headers: metadata?.headers ?? {}, body };
    },
    port: undefined,
    end: async () => undefined,
  }),
};

/** All who call it. What holds for one holds for all, as far as their limits let it. */
export const CALLERS: readonly CallerKind[] = [server, buffering, streaming];
export const NODE_SERVER = server;

function limits(): { readonly deadlineMs: number } {
  return { deadlineMs: performance.now() + REMAINING_MS };
}

/** Sends a request whose path stays as it is. */
export async function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {} }: Asked = {},
): Promise<Told> {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const body = await buffer(response);
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
