import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  bytesOnly,
  chunked,
  gzipUnasked,
  hugeHead,
  md5Of,
  never,
  refusal,
  whole,
} from '../../../harness/hostile-origin.ts';
import { isSendable } from '../../../src/mirror/origin/http/http-origin.ts';
import { ask, bytesOf, found, hostile, originAt, originOf, textOf, VIA_ID } from './origins.ts';

describe('an object', () => {
  it('comes with what tells of it', async () => {
    const { origin } = await originOf(
      whole('content', {
        'Content-Type': 'Text/Plain; charset=utf-8',
        'Content-Language': 'de',
        'Content-Disposition': 'attachment; filename="a b.txt"',
        'Cache-Control': 'max-age=60',
        Expires: 'Thu, 01 Jan 2026 00:00:00 GMT',
        'Last-Modified': 'Wed, 31 Dec 2025 23:59:59 GMT',
        ETag: 'W/"abc"',
        'Content-MD5': md5Of('content'),
        'Set-Cookie': 'a=b',
        'X-Amz-Meta-Kept': 'yes',
        'X-Amz-Meta-Other': 'no',
      }),
      { keeps: (header) => header === 'x-amz-meta-kept' },
    );
    using object = await found(origin);
    expect(object).toMatchObject({
      size: 7,
      headers: {
        contentType: 'Text/Plain; charset=utf-8',
        contentEncoding: undefined,
        contentLanguage: 'de',
        contentDisposition: 'attachment; filename="a b.txt"',
        cacheControl: 'max-age=60',
        expires: new Date('2026-01-01T00:00:00Z'),
      },
      etag: 'W/"abc"',
      modifiedMs: Date.parse('2025-12-31T23:59:59Z'),
      metadata: { kept: 'yes' },
      notKept: undefined,
    });
    expect(await textOf(object)).toBe('content');
  });

  it('has the type of its extension where the origin tells none', async () => {
    const { origin } = await originOf(whole('x'));
    expect((await found(origin, 'a/b.JPG')).headers.contentType).toBe('image/jpeg');
    expect((await found(origin, 'a.d/jpg')).headers.contentType).toBeUndefined();
    expect((await found(origin, 'jpg')).headers.contentType).toBeUndefined();
  });

  it('has headers as they were sent, and dates only where they are some', async () => {
    const latin1 = Buffer.from('inline; filename="ä b.txt"').toString('latin1');
    const { origin } = await originOf(
      bytesOnly(
        `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Disposition: ${latin1}\r\n` +
          'Cache-Control: a\r\nCache-Control: b\r\nExpires: 0\r\nLast-Modified: -1\r\n\r\n',
      ),
    );
    const object = await found(origin);
    expect(object.headers).toMatchObject({
      contentDisposition: latin1,
      cacheControl: 'a, b',
      expires: new Date(0),
    });
    expect(object.modifiedMs).toBeUndefined();
  });

  it('comes in chunks, too, up to the last one', async () => {
    const { origin } = await originOf(chunked(['ab', 'cde']));
    using object = await found(origin);
    expect(object).toMatchObject({ size: undefined, notKept: undefined });
    expect(await textOf(object)).toBe('abcde');
  });

  it('stays packed as it was sent, and says so', async () => {
    const { server, origin } = await originOf(gzipUnasked('content'));
    using object = await found(origin);
    expect(object).toMatchObject({ headers: { contentEncoding: 'gzip' }, notKept: undefined });
    expect(String(gunzipSync(await bytesOf(object)))).toBe('content');
    expect(server.asked[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('is told of by HEAD, without bytes', async () => {
    const { server, origin } = await originOf(whole('content', { ETag: '"a"' }));
    using object = await found(origin, 'f', 'HEAD');
    expect(object).toMatchObject({ size: 7, etag: '"a"' });
    expect(await textOf(object)).toBe('');
    expect(server.asked[0]?.method).toBe('HEAD');
  });

  it('empty is whole', async () => {
    const { origin } = await originOf(whole(''));
    using object = await found(origin);
    expect(object).toMatchObject({ size: 0, notKept: undefined });
    expect(await textOf(object)).toBe('');
  });
});

describe('a request', () => {
  it('has our own headers and those of the rule, and no others', async () => {
    const { server, origin } = await originOf(whole('x'), { send: { authorization: 'Bearer s' } });
    await textOf(await found(origin, 'a b/ä?'));
    expect(server.asked).toEqual([
      {
        method: 'GET',
        target: '/a%20b/%C3%A4%3F',
        headers: {
          host: `127.0.0.1:${server.port}`,
          connection: 'keep-alive',
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'isync-mirror',
          via: `1.1 ${VIA_ID}`,
          authorization: 'Bearer s',
        },
      },
    ]);
  });

  it('is the base with the key behind it, whatever the key is', async () => {
    const server = await hostile(whole('x'));
    const origin = originAt(`${server.url}/base/`);
    for (const key of ['', '/evil.example/x', '@evil.example', 'http://evil.example/', '?a#b', '%2e%2e/x'])
      await textOf(await found(origin, key));
    await ask(origin, 'q', 'GET', 'a=b&c=%2F');
    expect(server.asked.map(({ target }) => target)).toEqual([
      '/base/',
      '/base//evil.example/x',
      '/base/%40evil.example',
      '/base/http%3A//evil.example/',
      '/base/%3Fa%23b',
      '/base/%252e%252e/x',
      '/base/q?a=b&c=%2F',
    ]);
    expect(origin.urlOf({ key: '/evil.example/x', query: 'a' })).toBe(`${server.url}/base//evil.example/x?a`);
    expect(origin.name).toBe(`${server.url}/base/`);
  });

  it('never goes up', async () => {
    const { server, origin } = await originOf(whole('x'));
    await expect(ask(origin, 'a/../b')).rejects.toMatchObject({ name: 'OriginError', status: 502 });
    expect(server.asked).toEqual([]);
    expect(origin.urlOf({ key: 'a/../b', query: undefined })).toBeUndefined();
  });

  it('shares a connection with the one before, read to its end or not wanted', async () => {
    const { server, origin } = await originOf(whole('content'));
    for (let count = 0; count < 5; count++) await textOf(await found(origin));
    expect(server.connections).toBe(1);
    server.reply = refusal(404);
    for (let count = 0; count < 20; count++) await ask(origin);
    expect(server.connections).toBe(1);
  });

  it('is sent again where the origin closes the connection that it kept', async () => {
    const { server, origin } = await originOf(whole('content'));
    await textOf(await found(origin));
    server.reply = (socket) => {
      server.reply = whole('again');
      socket.resetAndDestroy();
    };
    expect(await textOf(await found(origin))).toBe('again');
    expect(server.asked).toHaveLength(3);
  });

  it('tells clients no URL that needs a secret', () => {
    const secret = originAt('http://old.example/', { send: { authorization: 's' } });
    expect(secret.urlOf({ key: 'a', query: undefined })).toBeUndefined();
    expect(originAt('http://old.example/b/').urlOf({ key: 'a b', query: undefined })).toBe(
      'http://old.example/b/a%20b',
    );
  });

  it.each([['authorization'], ['x-key'], ['cookie']])('may have %s from the rule', (name) => {
    expect(isSendable(name)).toBe(true);
  });

  it.each([['host'], ['via'], ['range'], ['if-none-match'], ['te'], ['connection'], ['a b'], ['']])(
    'never has %s from the rule',
    (name) => {
      expect(isSendable(name)).toBe(false);
    },
  );
});

describe('an answer without an object', () => {
  it.each([[404], [410]])('%i: there is none', async (status) => {
    const { origin } = await originOf(refusal(status));
    expect(await ask(origin)).toEqual({ kind: 'absent' });
    expect(await ask(origin, 'f', 'HEAD')).toEqual({ kind: 'absent' });
  });

  it.each([
    [401, {}, { status: 502, isAway: false }],
    [403, {}, { status: 502, isAway: false }],
    [400, {}, { status: 502, isAway: false }],
    [500, {}, { status: 502, isAway: true }],
    [504, {}, { status: 502, isAway: true }],
    [508, {}, { status: 508, isAway: false }],
    [206, {}, { status: 502, isAway: false }],
    [203, {}, { status: 502, isAway: false }],
    [304, {}, { status: 502, isAway: false }],
    [300, {}, { status: 502, isAway: false }],
    [503, {}, { status: 503, isAway: true, retryAfter: 10 }],
    [503, { 'Retry-After': '7' }, { status: 503, isAway: true, retryAfter: 7 }],
    [429, { 'Retry-After': '99999' }, { status: 503, isAway: true, retryAfter: 300 }],
    [429, { 'Retry-After': 'Thu, 01 Jan 1970 00:00:00 GMT' }, { status: 503, retryAfter: 1 }],
    [429, { 'Retry-After': 'soon' }, { status: 503, retryAfter: 10 }],
  ])('%i %o fails', async (status, headers, expected) => {
    const { origin } = await originOf(refusal(status, headers));
    await expect(ask(origin)).rejects.toMatchObject({ name: 'OriginError', ...expected });
  });

  it('nobody listens: 502, and the origin is away', async () => {
    const server = await hostile(never);
    const origin = originAt(`${server.url}/`);
    await server[Symbol.asyncDispose]();
    await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: true });
  });

  it('a head that never ends is cut', async () => {
    const { origin } = await originOf(hugeHead(200 * 1024));
    await expect(ask(origin)).rejects.toMatchObject({ status: 502, isAway: false });
  });

  it.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['no length', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a coding unasked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
  ])('%s: 502', async (_, text) => {
    const { origin } = await originOf(bytesOnly(text));
    await expect(ask(origin)).rejects.toMatchObject({ name: 'OriginError', status: 502 });
  });

  it('whoever asks has left before: it is told why, whether the connection stands or not', async () => {
    const { origin } = await originOf(whole('x'));
    const reason = new Error('left');
    for (let i = 0; i < 2; i++) {
      await expect(ask(origin, 'f', 'GET', undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
      expect(await textOf(await found(origin))).toBe('x');
    }
  });
});
