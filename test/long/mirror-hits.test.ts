import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { CALLERS } from '../mirror/callers.ts';
import { SERVICE, type StageOptions, startMirror, startOrigin } from '../mirror/serve-stage.ts';

const TEXT = '0123456789';
/** By status. */
const BODIES: Readonly<Record<number, (text: string) => string>> = {
  200: (text) => text,
  206: (text) => text.slice(0, 2),
  304: () => '',
};

const nothing = async () =>
  await startOrigin((_, response) => {
    response.statusCode = 404;
    response.end();
  });

await withS3Server((server) => {
  describe.each(CALLERS)('asked by $name, an object of the bucket', (caller) => {
    const begin = async (options: StageOptions = {}) => {
      const origin = await nothing();
      return { origin, ...(await startMirror(server, origin.url, { caller, ...options })) };
    };

    it('is streamed with its headers, and asks no origin', async () => {
      const { put, ask, origin, served } = await begin();
      await put('a b/ä.txt', 'hello', {
        ContentType: 'text/plain; charset=utf-8',
        ContentEncoding: 'identity',
        ContentLanguage: 'de',
        ContentDisposition: 'inline; filename="x"',
        CacheControl: 'max-age=7',
        Expires: new Date('2031-05-06T07:08:09Z'),
        Metadata: { mine: 'yes', 'isync-origin': 'http://old.internal/secret' },
      });
      const told = await ask('/a%20b/%C3%A4.txt');
      expect(told.status).toBe(200);
      expect(told.body.toString()).toBe('hello');
      expect(told.headers).toMatchObject({
        'content-type': 'text/plain; charset=utf-8',
        'content-encoding': 'identity',
        'content-language': 'de',
        'content-disposition': 'inline; filename="x"',
        'cache-control': 'max-age=7',
        expires: 'Tue, 06 May 2031 07:08:09 GMT',
        'content-length': '5',
        'accept-ranges': 'bytes',
        'isync-mirror': 'HIT',
        'x-amz-meta-mine': 'yes',
        etag: '"5d41402abc4b2a76b9719d911017c592"',
      });
      expect(told.headers['last-modified']).toMatch(/GMT$/);
      expect(JSON.stringify(told.headers)).not.toContain('old.internal');
      const head = await ask('/a%20b/%C3%A4.txt', { method: 'HEAD' });
      expect([head.status, head.body.length, head.headers['content-length']]).toEqual([200, 0, '5']);
      expect(head.headers['content-type']).toBe('text/plain; charset=utf-8');
      expect(origin.asked).toEqual([]);
      expect(served.map(({ outcome, bytes }) => [outcome, bytes])).toEqual([
        ['HIT', 5],
        ['HIT', 0],
      ]);
    });

    it('is read as fast as its client takes it, whatever its size', async () => {
      const { put, ask, served } = await begin();
      for (const size of [0, 1, 64 * 1024, 64 * 1024 + 1, 9_000_000]) {
        const bytes = randomBytes(size);
        await put('k', bytes);
        const told = await ask('/k');
        const isPassed = size <= (caller.mostBytes ?? Infinity);
        expect(told.body.equals(isPassed ? bytes : Buffer.alloc(0))).toBe(true);
        expect(told).toMatchObject(
          isPassed
            ? { status: 200, headers: { 'content-length': String(size) } }
            : { status: 302, headers: { location: `${SERVICE}/k` } },
        );
        expect(served.at(-1)).toMatchObject({ bytes: isPassed ? size : 0 });
      }
    });

    it.each([
      ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
      ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-2', 206, '89', 'bytes 8-9/10'],
      ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
      ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
      ['bytes=4-2', 200, '0123456789', undefined],
      ['bytes=0-1,3-4', 200, '0123456789', undefined],
      ['lines=0-1', 200, '0123456789', undefined],
    ])('has ranges: %s', async (range, status, text, contentRange) => {
      const { put, ask } = await begin();
      await put('k', '0123456789');
      const told = await ask('/k', { headers: { range } });
      expect([told.status, told.body.toString(), told.headers['content-range']]).toEqual([
        status,
        text,
        contentRange,
      ]);
    });

    it('ends before a range: 416 with its size, which nobody keeps', async () => {
      const { put, ask } = await begin();
      await put('k', '0123456789');
      const told = await ask('/k', { headers: { range: 'bytes=10-' } });
      expect(told.status).toBe(416);
      expect(told.headers).toMatchObject({ 'content-range': 'bytes */10', 'cache-control': 'no-store' });
    });

    it('is told apart from other versions by conditions', async () => {
      const { put, ask } = await begin();
      await put('k', '0123456789');
      const { headers } = await ask('/k');
      const etag = String(headers['etag']);
      const modified = String(headers['last-modified']);
      const before = new Date(Date.parse(modified) - 5000).toUTCString();
      const asked: [Record<string, string>, number][] = [
        [{ 'if-none-match': etag }, 304],
        [{ 'if-none-match': `W/${etag}` }, 304],
        [{ 'if-none-match': `"other", ${etag}` }, 304],
        [{ 'if-none-match': '*' }, 304],
        [{ 'if-none-match': '"other"' }, 200],
        [{ 'if-none-match': '"other"', 'if-modified-since': modified }, 200],
        [{ 'if-modified-since': modified }, 304],
        [{ 'if-modified-since': before }, 200],
        [{ 'if-modified-since': 'yesterday' }, 200],
        [{ 'if-modified-since': '9999' }, 200],
        [{ 'if-unmodified-since': '0' }, 200],
        [{ 'if-match': 'no-etag' }, 412],
        [{ 'if-none-match': 'no-etag', 'if-modified-since': modified }, 200],
        [{ 'if-match': etag }, 200],
        [{ 'if-match': '*' }, 200],
        [{ 'if-match': `"other", ${etag}` }, 200],
        [{ 'if-match': '"other"' }, 412],
        [{ 'if-match': '"other", "another"' }, 412],
        [{ 'if-match': `W/${etag}` }, 412],
        [{ 'if-unmodified-since': modified }, 200],
        [{ 'if-unmodified-since': before }, 412],
        [{ 'if-match': etag, 'if-unmodified-since': before }, 200],
        [{ range: 'bytes=0-1', 'if-range': etag }, 206],
        [{ range: 'bytes=0-1', 'if-range': `W/${etag}` }, 200],
        [{ range: 'bytes=0-1', 'if-range': '"other"' }, 200],
        [{ range: 'bytes=0-1', 'if-range': modified }, 206],
        [{ range: 'bytes=0-1', 'if-range': before }, 200],
        [{ range: 'bytes=99-', 'if-range': '"other"' }, 200],
        [{ range: 'bytes=99-', 'if-range': etag }, 416],
      ];
      for (const [wanted, status] of asked) {
        const told = await ask('/k', { headers: wanted });
        const { headers, body } = told;
        expect([wanted, told.status]).toEqual([wanted, status]);
        expect([wanted, body.toString()]).toEqual([wanted, BODIES[status]?.(TEXT) ?? body.toString()]);
        expect([wanted, headers['cache-control']]).toEqual([wanted, status > 400 ? 'no-store' : undefined]);
        const withoutRange = 'range' in wanted ? 200 : status;
        expect((await ask('/k', { headers: wanted, method: 'HEAD' })).status).toBe(withoutRange);
      }
      // Ceph tells nothing with a 304: what was asked for alone is known.
      expect((await ask('/k', { headers: { 'if-none-match': `W/${etag}` } })).headers).toMatchObject({
        etag,
      });
    });

    it('with onHit: redirect sends its client to the service endpoint, wherever its key would lead', async () => {
      const { put, ask } = await begin({ onHit: 'redirect' });
      for (const [key, path, encoded] of [
        ['k', '/k', 'k'],
        ['/evil.example/x', '//evil.example/x', '/evil.example/x'],
        ['a b?c#d%2F', '/a%20b%3Fc%23d%252F', 'a%20b%3Fc%23d%252F'],
        ['http://x', '/http%3A%2F%2Fx', 'http%3A//x'],
        ['\\evil', '/%5Cevil', '%5Cevil'],
      ] as const) {
        await put(key, 'x');
        const told = await ask(path);
        expect([told.status, told.headers['location']]).toEqual([302, `${SERVICE}/${encoded}`]);
        expect(told.headers).toMatchObject({ 'cache-control': 'no-store', 'isync-mirror': 'HIT' });
      }
    });

    it('larger than can be streamed sends its client to the service endpoint', async () => {
      const { put, ask } = await begin({ mostBytes: 5 });
      await put('k', '0123456789');
      expect((await ask('/k')).status).toBe(302);
      expect((await ask('/k', { headers: { range: 'bytes=0-3' } })).status).toBe(206);
      expect((await ask('/k', { method: 'HEAD' })).headers['content-length']).toBe('10');
    });

    it('asked for as a fallback sends the client back while it is young, and else streams it and tells of a loop', async () => {
      const { put, ask, log, loops } = await begin({ fallback: true });
      await put('k', '0123456789');
      expect((await ask('/k')).status).toBe(302);
      expect(loops()).toBe(0);
      const real = Date.now;
      Date.now = () => real() + 61_000;
      try {
        expect((await ask('/k')).body.toString()).toBe('0123456789');
        expect((await ask('/k', { headers: { range: 'bytes=1-2' } })).body.toString()).toBe('12');
      } finally {
        Date.now = real;
      }
      expect(loops()).toBe(2);
      const told = log.lines.filter(({ fields }) => JSON.stringify(fields).includes('LOOP_SUSPECTED'));
      expect(told.length).toBe(1);
    });

    it('asked for as a fallback is 502 where it is old and too large to be streamed', async () => {
      const { put, ask } = await begin({ fallback: true, mostBytes: 5 });
      await put('k', '0123456789');
      const real = Date.now;
      Date.now = () => real() + 61_000;
      try {
        expect((await ask('/k')).status).toBe(502);
      } finally {
        Date.now = real;
      }
    });
  });
});
