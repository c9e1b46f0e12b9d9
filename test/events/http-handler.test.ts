import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { WebhookMetrics } from '../../src/events/http/webhook-metrics.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { asking, Kept, messageOf, record } from './http-support.ts';

/** At its best, which is its default, it takes seconds. */
const brotli = (text: string | Buffer): Buffer =>
  brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });

describe('the webhook answers', () => {
  it.each([
    ['GET', '/ping', 200, 'Pong'],
    ['HEAD', '/ping', 200, 'Pong'],
    ['POST', '/ping', 405, undefined],
    ['GET', '/webhook', 200, undefined],
    ['HEAD', '/webhook', 200, undefined],
    ['PUT', '/webhook', 405, undefined],
    ['DELETE', '/webhook', 405, undefined],
    ['GET', '/', 404, undefined],
    ['POST', '/webhook/x', 404, undefined],
    ['POST', '//webhook', 404, undefined],
    ['POST', '/x/../webhook', 404, undefined],
    ['POST', '/%77ebhook', 404, undefined],
    ['POST', 'http://hook.example/webhook', 404, undefined],
    ['POST', '*', 404, undefined],
  ])('%s %s with %d', async (method, target, status, text) => {
    const headers = { authorization: undefined };
    const answered = await asking(new Kept().options())({ method, target, headers });
    expect(answered).toMatchObject({ status, ...(text !== undefined && { text }) });
    expect(answered.isRead).toBe(false);
  });
});

describe('a message', () => {
  it('is parked where the queue takes none of its size, for it would come again for ever; what is beside it is queued', async () => {
    const kept = new Kept();
    const asked = asking(
      kept.options({
        publish: async (messages) => {
          if (messages.some(({ body }) => body.includes('large')))
            throw new IsyncError('EVENT_INVALID', 'larger than the queue takes');
          await kept.publish(messages);
        },
      }),
    );
    const { status, text } = await asked({ body: messageOf(record('a'), record('large'), record('b')) });
    expect([status, JSON.parse(text)]).toMatchObject([200, { accepted: 2, parked: 1 }]);
    expect(kept.keys).toEqual(['a', 'b']);
    expect(kept.parked).toMatchObject([{ code: 'EVENT_INVALID', reason: 'larger than the queue takes' }]);
  });

  it('is taken apart: a message a record, each with the id of the request, which the answer tells', async () => {
    const kept = new Kept();
    const { status, headers, text } = await asking(kept.options())({
      body: messageOf(record('a'), record('b+c'), record('d')),
    });
    const id = headers['x-isync-id']!;
    expect([status, JSON.parse(text)]).toEqual([200, { id, accepted: 3, ignored: 0, parked: 0 }]);
    expect(kept.published.map((message) => message.id)).toEqual([`${id}-0`, `${id}-1`, `${id}-2`]);
    const events = kept.published.map(({ body }) => parseMessage(body, { keyEncoding: 'auto' }));
    expect(events).toMatchObject(['a', 'b c', 'd'].map((key) => [{ outcome: 'event', event: { key } }]));
    expect(kept.log.at('debug')).toMatchObject([{ fields: { message: id, records: 3 } }]);
  });

  it('has an id that no other request has', async () => {
    const asks = [asking(new Kept().options()), asking(new Kept().options())];
    const ids = await Promise.all(
      Array.from(
        { length: 100 },
        async (_, index) => (await asks[index % 2]!({ body: '{' })).headers['x-isync-id'],
      ),
    );
    expect(new Set(ids).size).toBe(100);
  });

  it('of which one record is poisoned holds up no other: that one is parked, the same again where it comes again', async () => {
    const kept = new Kept();
    const ask = asking(kept.options({ buckets: new Set(['photos']) }));
    const body = messageOf(record('a'), { eventName: 7 }, record('b', 'foreign'), record('c'), {
      ...record(),
      eventName: 's3:ObjectTagging:Put',
    });
    const { status, text } = await ask({ body });
    expect([status, JSON.parse(text)]).toMatchObject([200, { accepted: 2, ignored: 1, parked: 2 }]);
    expect(kept.keys).toEqual(['a', 'c']);
    expect(kept.parked).toMatchObject([
      { code: 'EVENT_INVALID', bucket: undefined },
      { code: 'EVENT_INVALID', bucket: 'foreign', key: 'b' },
    ]);
    const first = kept.parked.splice(0);
    await ask({ body });
    expect(kept.parked).toEqual(first);
  });

  it.each([
    ['null', 1],
    ['7', 1],
    ['"x"', 1],
    ['[]', 1],
    ['{}', 1],
    ['{"Records":7}', 1],
    ['{"Records":[7]}', 1],
    ['{"Type":"x"}', 1],
    ['{"Type":["Notification"]}', 1],
    ['{"Records":[]}', 0],
    ['{"Event":"s3:TestEvent"}', 0],
  ])('that is JSON and no event is answered with 200: %s', async (body, parked) => {
    const kept = new Kept();
    const { status, text } = await asking(kept.options())({ body });
    expect([status, JSON.parse(text)]).toMatchObject([200, { accepted: 0, parked, ignored: 1 - parked }]);
    expect(kept.parked.map((each) => each.body)).toEqual(parked === 1 ? [body] : []);
  });

  it.each([
    ['', 400],
    ['{', 400],
    ['not JSON', 400],
    ['<Records/>', 400],
    [Buffer.from([0x7b, 0xff, 0x7d]), 400],
    [Buffer.from('{}', 'utf16le'), 400],
    [messageOf(...Array.from({ length: 10_001 }, () => 7)), 413],
    ['['.repeat(200_000), 413],
    ['{"a":['.repeat(90_000), 413],
    [`"${'x'.repeat(1024 * 1024)}"`, 413],
  ])('is refused: %.20j', async (body, status) => {
    const kept = new Kept();
    expect(await asking(kept.options())({ body })).toMatchObject({ status });
    expect([kept.published, kept.parked]).toEqual([[], []]);
  });

  it('of many records that nobody can work on is parked whole', async () => {
    const kept = new Kept();
    const body = messageOf(record('a'), ...Array.from({ length: 500 }, (_, index) => index));
    expect(await asking(kept.options())({ body })).toMatchObject({ status: 200 });
    expect([kept.keys, kept.parked]).toMatchObject([
      ['a'],
      [{ body, reason: expect.stringContaining('500') }],
    ]);
  });

  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotli],
    ['GZIP', gzipSync],
    ['identity', (text: string) => Buffer.from(text)],
  ])('packed as %s is unpacked, also where it is larger than a body may be', async (encoding, pack) => {
    const kept = new Kept();
    const count = encoding === 'identity' ? 100 : 8000;
    const body = pack(messageOf(...Array.from({ length: count }, (_, index) => record(`key-${index}`))));
    const headers = { 'content-encoding': encoding };
    expect(await asking(kept.options())({ body, headers })).toMatchObject({ status: 200 });
    expect(kept.published).toHaveLength(count);
  });

  it.each([
    ['a bomb', 'gzip', gzipSync(Buffer.alloc(9 * 1024 * 1024, 0x20)), 413],
    ['a bomb of another kind', 'br', brotli(Buffer.alloc(9 * 1024 * 1024, 0x20)), 413],
    ['broken', 'gzip', Buffer.from('{}'), 400],
    ['cut', 'gzip', gzipSync(messageOf(record())).subarray(0, 30), 400],
    ['another encoding', 'zstd', Buffer.from('{}'), 415],
    ['two encodings', 'gzip, gzip', gzipSync(gzipSync('{}')), 415],
  ])('packed as %s is refused', async (_, encoding, body, status) => {
    const answered = await asking(new Kept().options())({ body, headers: { 'content-encoding': encoding } });
    expect(answered).toMatchObject({ status, isRead: status !== 415 });
  });

  it.each([
    ['application/json', 200],
    ['application/json; charset=utf-8', 200],
    ['Application/CloudEvents+JSON', 200],
    ['text/plain; charset=UTF-8', 200],
    ['application/x-www-form-urlencoded', 200],
    ['text/xml', 415],
    ['multipart/form-data; boundary=x', 415],
    ['image/png', 415],
  ])('of the type %s: %d', async (type, status) => {
    const headers = { 'content-type': type };
    expect(await asking(new Kept().options())({ headers, body: messageOf(record()) })).toMatchObject({
      status,
    });
  });

  it('that says it is too large is refused before it is read', async () => {
    const headers = { 'content-length': String(1024 * 1024 + 1) };
    expect(await asking(new Kept().options())({ headers, body: '{}' })).toMatchObject({
      status: 413,
      isRead: false,
    });
  });
});

describe('while records can not be kept', () => {
  it.each([
    ['STORE_FULL', '10'],
    ['BUSY', '1'],
    ['UNREACHABLE', '1'],
  ] as const)('%s is answered with 503 and when to come again', async (code, after) => {
    const kept = new Kept();
    kept.trouble = new IsyncError(code, 'no');
    const ask = asking(kept.options());
    const body = messageOf(record());
    expect(await ask({ body })).toMatchObject({ status: 503, headers: { 'retry-after': after } });
    kept.trouble = undefined;
    await vi.waitFor(async () => expect(await ask({ body })).toMatchObject({ status: 200 }), 10_000);
    expect(kept.keys).toEqual(['a.jpg']);
    expect(kept.log.lines.filter(({ level }) => level !== 'debug')).toMatchObject([
      { level: 'warn', fields: { code } },
      { level: 'info', message: 'events are taken again' },
    ]);
  });

  it('nothing is answered with 2xx before it is durable', async () => {
    const gate = Promise.withResolvers<void>();
    const kept = new Kept();
    kept.publish = () => gate.promise;
    let answered = false;
    const asked = asking(kept.options())({ body: messageOf(record()) }).finally(() => (answered = true));
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(answered).toBe(false);
    gate.resolve();
    expect(await asked).toMatchObject({ status: 200 });
  });

  it('a fault is answered with 500, and told in the log', async () => {
    const kept = new Kept();
    kept.trouble = new TypeError('a bug');
    expect(await asking(kept.options())({ body: messageOf(record()) })).toMatchObject({ status: 500 });
    expect(kept.log.at('warn')).toMatchObject([{ fields: { err: { message: 'a bug' } } }]);
  });

  it('a record that can not be parked is answered with 503, and good ones pass beside it', async () => {
    const kept = new Kept();
    const ask = asking(kept.options());
    kept.parking.count = 100_000;
    const [bad, good] = [ask({ body: '{}' }), ask({ body: messageOf(record()) })];
    expect((await good).status).toBe(200);
    expect((await bad).status).toBe(503);
    kept.parking.count = 0;
    kept.parking.park = async () => {
      throw new IsyncError('STORE_FULL', 'no room');
    };
    const again = ask({ body: '{}' });
    expect(await ask({ body: messageOf(record()) })).toMatchObject({ status: 200 });
    expect(await again).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
  });

  it('what all requests hold is bounded', async () => {
    const kept = new Kept();
    const gate = Promise.withResolvers<void>();
    kept.publish = () => gate.promise;
    const ask = asking(kept.options());
    const body = messageOf(record('x'.repeat(900_000)), record());
    const large = Array.from({ length: 40 }, () => ask({ body }));
    const refused = await Promise.any(
      large.map(async (each) => ((await each).status === 503 ? 'refused' : Promise.reject())),
    );
    expect(refused).toBe('refused');
    gate.resolve();
    const statuses = (await Promise.all(large)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(5);
    expect(await ask({ body })).toMatchObject({ status: 200 });
  });
});

it('metrics tell of requests, records and time', async () => {
  const registry = new Registry();
  const kept = new Kept();
  const ask = asking(kept.options({ observer: new WebhookMetrics(registry) }));
  await ask({ body: messageOf(record(), record('b'), 7) });
  await ask({ body: '{"Event":"s3:TestEvent"}' });
  await ask({ body: '{' });
  await ask({ headers: { authorization: 'x' } });
  const text = await registry.metrics();
  for (const line of [
    'isync_webhook_requests_total{status="200"} 2',
    'isync_webhook_requests_total{status="400"} 1',
    'isync_webhook_requests_total{status="401"} 1',
    'isync_webhook_records_total 2',
    'isync_webhook_parked_total 1',
    'isync_webhook_ignored_total{name="TestEvent"} 1',
    'isync_webhook_accept_seconds_count 1',
  ])
    expect(text).toContain(line);
});
