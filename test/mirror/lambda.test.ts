import { PassThrough, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../src/http/handler.ts';
import { answerBuffered, BUFFERED_BYTES } from '../../src/mirror/lambda/buffered.ts';
import type { UrlEvent } from '../../src/mirror/lambda/event.ts';
import { answerStreamed } from '../../src/mirror/lambda/streamed.ts';
import { RecordingLog } from '../recording-log.ts';
import { EVENT, urlEvent } from './url-event.ts';

const HEAD_EVENT = urlEvent('/img/a.jpg', 'HEAD');

const signal = new AbortController().signal;

async function* chunks(...parts: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield part;
  }
}

const says =
  (response: HttpResponse): HttpHandler =>
  async () =>
    response;

interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Both ways of being called give the same, as far as Lambda's limits let them. */
const CALLS: readonly [string, (handler: HttpHandler, event?: UrlEvent) => Promise<Seen>][] = [
  [
    'buffered',
    async (handler, event = EVENT) => {
      const log = new RecordingLog();
      const { statusCode, headers, body, isBase64Encoded } = await answerBuffered(
        handler,
        event,
        signal,
        log,
      );
      expect(isBase64Encoded).toBe(true);
      return { status: statusCode, headers, body: Buffer.from(body, 'base64') };
    },
  ],
  [
    'streamed',
    async (handler, event = EVENT) => {
      const log = new RecordingLog();
      const stream = new PassThrough();
      const told: { statusCode: number; headers: Readonly<Record<string, string>> }[] = [];
      const HttpResponseStream = {
        from: (to: Writable, metadata: (typeof told)[number]) => {
          told.push(metadata);
          return to;
        },
      };
      const [body] = await Promise.all([
        buffer(stream),
        answerStreamed(handler, event, stream, { HttpResponseStream }, { signal, log }),
      ]);
      expect(told).toHaveLength(1);
      return { status: told[0]?.statusCode ?? 0, headers: told[0]?.headers ?? {}, body };
    },
  ],
];

describe.each(CALLS)('a function URL, %s', (_, call) => {
  it('hands on method, path and query as they were sent, headers and address', async () => {
    let seen: HttpRequest | undefined;
    await call(async (request) => {
      seen = request;
      return { status: 204 };
    });
    expect(seen).toMatchObject({
      method: 'GET',
      target: '/img/a%20b%2Fc%C3%A9.jpg?v=1&w=%20',
      headers: { range: 'bytes=0-9', via: expect.stringContaining('CloudFront') as unknown },
      remoteAddress: '203.0.113.7',
    });
  });

  it.each([
    ['a page in Latin-1', 'text/html; charset=iso-8859-1', Buffer.from('<p>caf\xe9</p>', 'latin1')],
    ['bytes of every value', 'image/jpeg', Buffer.from(Array.from({ length: 256 }, (__, byte) => byte))],
    ['what looks like JSON', 'application/json', Buffer.from('{"statusCode":500,"body":"x"}')],
    ['nothing', 'text/plain', Buffer.alloc(0)],
  ])('gives %s back byte for byte', async (__, type, bytes) => {
    for (const body of [bytes, chunks(bytes.subarray(0, 3), bytes.subarray(3))]) {
      const seen = await call(says({ status: 200, headers: { 'content-type': type }, body }));
      expect(seen).toMatchObject({ status: 200, headers: { 'content-type': type } });
      expect(seen.body.equals(bytes)).toBe(true);
    }
  });

  it('gives a type to a body that has none, which would else pass for JSON', async () => {
    const { headers } = await call(says({ status: 200, body: Buffer.from('x') }));
    expect(headers['content-type']).toBe('application/octet-stream');
  });

  it('answers HEAD without a body, with its length, and leaves the chunks', async () => {
    let ended = false;
    const body = (async function* () {
      try {
        yield Buffer.from('never');
      } finally {
        ended = true;
      }
    })();
    // A generator that has not begun is not left, only ended: it has opened nothing.
    await body.next();
    const seen = await call(says({ status: 200, headers: { 'content-length': '5' }, body }), HEAD_EVENT);
    expect(seen).toMatchObject({ status: 200, headers: { 'content-length': '5' } });
    expect(seen.body).toHaveLength(0);
    expect(ended).toBe(true);
  });

  it('makes a fault of the handler a 500', async () => {
    expect(await call(() => Promise.reject(new Error('x')))).toMatchObject({ status: 500 });
  });
});

describe('what does not come whole', () => {
  it('is 502 where it is held, also where it is larger than Lambda takes', async () => {
    const log = new RecordingLog();
    for (const body of [
      chunks(Buffer.from('ab'), new Error('cut')),
      chunks(Buffer.alloc(BUFFERED_BYTES), Buffer.alloc(1)),
    ]) {
      const result = await answerBuffered(says({ status: 200, body }), EVENT, signal, log);
      expect(result).toMatchObject({ statusCode: 502, headers: { 'cache-control': 'no-store' } });
    }
  });

  it('fits into 6 MB of JSON at its largest', async () => {
    const log = new RecordingLog();
    const body = chunks(Buffer.alloc(BUFFERED_BYTES, 0xff));
    const result = await answerBuffered(says({ status: 200, body }), EVENT, signal, log);
    expect(result.statusCode).toBe(200);
    expect(JSON.stringify(result).length).toBeLessThan(6 * 1024 * 1024);
  });

  it('cuts the response where it is streamed', async () => {
    const log = new RecordingLog();
    const stream = new PassThrough();
    stream.resume();
    const HttpResponseStream = { from: (to: Writable) => to };
    const body = chunks(Buffer.from('ab'), new Error('cut'));
    await expect(
      answerStreamed(says({ status: 200, body }), EVENT, stream, { HttpResponseStream }, { signal, log }),
    ).rejects.toThrow('cut');
    expect(stream.destroyed).toBe(true);
  });
});
