import { once } from 'node:events';
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** Something in front of an S3 server that answers some requests itself, as a busy server does. */
export interface S3Front extends AsyncDisposable {
  readonly endpoint: string;
  /** Says which requests are refused, and with which of S3's error codes; undefined lets one through. */
  refuse: ((request: IncomingMessage) => Refusal | undefined) | undefined;
  /** Methods and URLs of all requests, in the order in which they began to come. */
  readonly asked: readonly Pick<Answered, 'method' | 'url'>[];
  /** Says which answers stop after their head, and until when. */
  holdBody: ((request: IncomingMessage) => Promise<void> | undefined) | undefined;
  /** Says which answers are cut, and after how many bytes of their body. */
  cutBody: ((request: IncomingMessage) => number | undefined) | undefined;
  /** Gives answers more lines of their head. */
  moreHeaders: ((request: IncomingMessage) => Readonly<Record<string, string>> | undefined) | undefined;
  /** Called with each request before it is passed on. */
  before: ((request: IncomingMessage) => Promise<void> | undefined) | undefined;
  /** Says which requests are done without an answer: the connection is cut instead. */
  cutAnswer: ((request: IncomingMessage) => boolean) | undefined;
  /** Says which requests are read and never answered. */
  ignore: ((request: IncomingMessage) => boolean) | undefined;
  /** What the server has answered, in the order of its answers. */
  readonly answered: readonly Answered[];
  /** Requests refused so far. */
  readonly refused: number;
}

export interface Answered {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly url: string;
  readonly status: number;
  /** When the request came and when its answer began, in ms of performance.now(). */
  readonly cameMs: number;
  readonly answeredMs: number;
}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Default: "try later". */
  readonly message?: string;
  /** Instead of S3's own XML. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What each error of S3 has. */
const S3_HEADERS = { 'content-type': 'application/xml', 'x-amz-request-id': 'tx1' };

/** The error that S3 throttles with. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
export const SLOW_DOWN: Refusal = { status: 503, code: 'SlowDown' };

/** A front of the server at `endpoint`, over TLS where it is given a certificate. The Host header stays what was signed. */
export async function startS3Front(
  endpoint: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<S3Front> {
  const target = new URL(endpoint);
  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(request, response);
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  // Else a request of a slow test may come to a connection just as it is closed, and be counted twice.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const asked: Pick<Answered, 'method' | 'url'>[] = [];
  const answers: Answered[] = [];
  let refused = 0;
  const front: S3Front = {
    endpoint: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: undefined,
    asked,
    holdBody: undefined,
    cutBody: undefined,
    moreHeaders: undefined,
    before: undefined,
    cutAnswer: undefined,
    ignore: undefined,
    answered: answers,
    get refused() {
      return refused;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return front;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = front.refuse?.(request);
    if (refusal !== undefined) {
      refused++;
      // Read to its end, so that the client is not cut off while it sends.
      request.resume();
      const headers = { ...(refusal.body === undefined && S3_HEADERS), ...refusal.headers };
      request.on('end', () => response.writeHead(refusal.status, headers).end(errorBody(refusal)));
      return;
    }
    const cameMs = performance.now();
    const { method = '', url = '', rawHeaders } = request;
    asked.push({ method, url });
    if (front.ignore?.(request) === true) {
      request.resume();
      return;
    }
    await front.before?.(request);
    const onward = send(
      { host: target.hostname, port: target.port, method, path: url, headers: rawHeaders },
      (answered) => {
        if (front.cutAnswer?.(request) === true) {
          answered.resume();
          response.destroy();
          return;
        }
        const status = answered.statusCode ?? 502;
        answers.push({ method, url, status, cameMs, answeredMs: performance.now() });
        const more = Object.entries(front.moreHeaders?.(request) ?? {}).flat();
        response.writeHead(status, [...answered.rawHeaders, ...more]);
        response.flushHeaders();
        const held = front.holdBody?.(request) ?? Promise.resolve();
        held
          .then(() => pipeline(answered, cutAfter(front.cutBody?.(request)), response))
          .catch(() => response.destroy());
      },
    );
    onward.on('error', () => response.destroy());
    await pipeline(request, onward).catch(() => onward.destroy());
  }
}

/** Passes bytes on, and fails after so many. */
function cutAfter(most = Infinity): (bytes: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (bytes) {
    let passed = 0;
    for await (const piece of bytes) {
      yield piece.subarray(0, most - passed);
      passed += piece.length;
      if (passed >= most) throw new Error('cut');
    }
  };
}

function errorBody({ code, message = 'try later', body }: Refusal): string {
  if (body !== undefined) return body;
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}
