import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { HeadObjectCommand, NotFound } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import type { S3Server } from '../../harness/s3-server.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { mirrorRule } from '../../src/config/schemas/mirror-rule.ts';
import { MirrorRules } from '../../src/mirror/rules.ts';
import { rulesOf } from '../../src/mirror/rules-of-config.ts';
import { type CallerKind, CALLERS, NODE_SERVER } from '../mirror/callers.ts';
import { all, MODIFIED, TEXT } from '../mirror/full-origin.ts';
import { SERVICE, type StageOptions, startMirror, startOrigin } from '../mirror/serve-stage.ts';

async function isKept(server: S3Server, bucket: string, key: string): Promise<boolean> {
  try {
    await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: `pre/${key}` }));
    return true;
  } catch (error) {
    if (error instanceof NotFound) return false;
    throw error;
  }
}

await withS3Server((server) => {
  const beginner =
    (caller: CallerKind) =>
    async (options: StageOptions = {}, answer: Parameters<typeof startOrigin>[0] = all) => {
      const origin = await startOrigin(answer);
      return { origin, ...(await startMirror(server, origin.url, { caller, ...options })) };
    };

  describe.each(CALLERS)('asked by $name, what the bucket lacks', (caller) => {
    const begin = beginner(caller);

    it('is streamed from its origin, kept, and streamed from the bucket from then on', async () => {
      const { ask, origin, bucket, served } = await begin();
      const told = await ask('/a%20b', { headers: { cookie: 'x=y', authorization: 'Basic x' } });
      expect([told.status, told.body.toString()]).toEqual([200, TEXT]);
      expect(told.headers).toMatchObject({
        'content-type': 'text/x-old',
        'content-length': '10',
        'cache-control': 'max-age=5',
        etag: '"old"',
        'last-modified': MODIFIED,
        'isync-mirror': 'MISS',
      });
      expect(told.headers).not.toHaveProperty('set-cookie');
      expect(told.headers).not.toHaveProperty('x-secret');
      await expect.poll(() => isKept(server, bucket, 'a b')).toBe(true);
      await expect.poll(async () => (await ask('/a%20b')).headers['isync-mirror']).toBe('HIT');
      const hit = await ask('/a%20b');
      expect(hit.body.toString()).toBe(TEXT);
      expect(hit.headers).toMatchObject({ 'content-type': 'text/x-old', 'cache-control': 'max-age=5' });
      expect(origin.asked).toEqual(['GET /a%20b']);
      expect(served[0]).toMatchObject({ outcome: 'MISS', status: 200, bytes: 10 });
    });

    it('with onMiss: redirect sends its client to the service endpoint once it is kept', async () => {
      const { ask, bucket } = await begin({ onMiss: 'redirect' });
      const told = await ask('//evil.example/x');
      expect([told.status, told.headers['location']]).toEqual([302, `${SERVICE}//evil.example/x`]);
      expect(told.headers).toMatchObject({ 'cache-control': 'no-store', 'isync-mirror': 'MISS' });
      expect(await isKept(server, bucket, '/evil.example/x')).toBe(true);
    });

    it('with onMiss: redirect is no answer at all where the spool fails: 503', async () => {
      const body = Buffer.alloc(300_000, 'x');
      const { ask, folder } = await begin({ onMiss: 'redirect' }, (_request, response) => {
        response.setHeader('content-length', body.length);
        response.end(body);
      });
      await rm(folder, { recursive: true });
      await writeFile(folder, 'no folder');
      const told = await ask('/k');
      expect([told.status, told.headers['cache-control'], told.headers['isync-mirror']]).toEqual([
        503,
        'no-store',
        'ERROR',
      ]);
      expect(told.headers['retry-after']).toBe('5');
    });

    it('with onMiss: redirect-origin sends its client to the origin, and keeps it behind that', async () => {
      const { ask, bucket, origin } = await begin({ onMiss: 'redirect-origin' });
      const told = await ask('/a%2Fb');
      expect([told.status, told.headers['location']]).toEqual([302, `${origin.url}/a/b`]);
      expect(told.headers['cache-control']).toBe('no-store');
      await expect.poll(() => isKept(server, bucket, 'a/b')).toBe(true);
    });

    it('has a range cut out of it while it comes, and is kept whole', async () => {
      const { ask, bucket } = await begin();
      const told = await ask('/k', { headers: { range: 'bytes=2-4' } });
      expect([told.status, told.body.toString(), told.headers['content-range']]).toEqual([
        206,
        '234',
        'bytes 2-4/10',
      ]);
      await expect.poll(() => isKept(server, bucket, 'k')).toBe(true);
      expect((await ask('/l', { headers: { range: 'bytes=10-' } })).headers['content-range']).toBe(
        'bytes */10',
      );
      const other = { range: 'bytes=2-4', 'if-range': '"other"' };
      expect((await ask('/m', { headers: other })).body.toString()).toBe(TEXT);
      const same = { range: 'bytes=2-4', 'if-range': '"old"' };
      expect((await ask('/n', { headers: same })).body.toString()).toBe('234');
    });

    it('is not sent again to who has it from the origin, and kept all the same', async () => {
      const { ask, bucket } = await begin();
      expect((await ask('/k', { headers: { 'if-none-match': '"old"' } })).status).toBe(304);
      expect((await ask('/l', { headers: { 'if-modified-since': MODIFIED } })).status).toBe(304);
      expect((await ask('/m', { headers: { 'if-match': '"other"' } })).status).toBe(412);
      for (const key of ['k', 'l', 'm']) await expect.poll(() => isKept(server, bucket, key)).toBe(true);
    });

    it('is asked for with HEAD at the origin, and not filled', async () => {
      const { ask, origin, bucket, mirror } = await begin();
      const told = await ask('/k', { method: 'HEAD' });
      expect([told.status, told.body.length, told.headers['content-length']]).toEqual([200, 0, '10']);
      expect(told.headers).toMatchObject({ 'content-type': 'text/x-old', etag: '"old"' });
      expect((await ask('/none', { method: 'HEAD' })).status).toBe(404);
      expect(origin.asked).toEqual(['HEAD /k', 'HEAD /none']);
      expect(mirror.fills.state.fills).toBe(0);
      expect(await isKept(server, bucket, 'k')).toBe(false);
    });

    it('and the origin too is 404, remembered for a while', async () => {
      const { ask, origin } = await begin();
      const told = await ask('/none');
      expect([told.status, told.headers['cache-control'], told.headers['isync-mirror']]).toEqual([
        404,
        'no-store',
        'MISS',
      ]);
      expect((await ask('/none')).headers['isync-mirror']).toBe('NEGATIVE');
      expect(origin.asked.length).toBe(1);
    });

    it('is cut before its end, or refused, where its bytes are not those of its digest', async () => {
      const { ask, bucket } = await begin({}, (_request, response) => {
        response.setHeader('content-length', TEXT.length);
        response.setHeader('content-md5', createHash('md5').update('another').digest('base64'));
        response.end(TEXT);
      });
      const told = await ask('/k').then(
        ({ status }) => status,
        () => 'connection',
      );
      expect(told).toBe(caller.cut);
      expect(await isKept(server, bucket, 'k')).toBe(false);
    });

    it.each(['*', 'unquoted', '"a"b"'])(
      'has no ETag where the origin has none that is one: %s',
      async (etag) => {
        const { ask } = await begin({}, (_request, response) => {
          response.setHeader('etag', etag);
          response.end(TEXT);
        });
        expect((await ask('/k')).headers['etag']).toBeUndefined();
      },
    );

    it('can be no key: the log has its path alone, for a query may hold a secret', async () => {
      const { ask, log } = await begin();
      expect((await ask('/%ff?token=sesame')).status).toBe(400);
      expect((await ask('/?token=sesame')).status).toBe(404);
      const keys = log.lines
        .filter(({ message }) => message === 'request')
        .map(({ fields }) => fields['key']);
      expect(keys).toEqual(['/%ff', '/']);
    });

    it('is 404 without a rule, and where it is excepted', async () => {
      const { ask, origin } = await begin({
        rule: { match: { prefix: 'img/' } },
        except: ['img/tmp/**'],
      });
      for (const path of ['/x', '/img/tmp/x', '/']) {
        const told = await ask(path);
        expect([told.status, told.headers['isync-mirror'], told.headers['cache-control']]).toEqual([
          404,
          'BYPASS',
          'no-store',
        ]);
      }
      expect(origin.asked).toEqual([]);
    });

    it('and can not be kept is passed on in each way of answering', async () => {
      const lying = (_: IncomingMessage, response: ServerResponse): void => {
        response.setHeader('content-type', 'text/html');
        response.end(TEXT);
      };
      for (const onMiss of ['stream', 'redirect'] as const) {
        const { ask, bucket } = await begin({ onMiss, rule: { types: ['image/*'] } }, lying);
        const told = await ask('/k');
        expect([onMiss, told.status, told.body.toString()]).toEqual([onMiss, 200, TEXT]);
        expect(await isKept(server, bucket, 'k')).toBe(false);
      }
    });

    it('larger than the rule takes is left to the client', async () => {
      const { ask, origin } = await begin({ rule: { maxSize: '5' } });
      const told = await ask('/k');
      expect([told.status, told.headers['location']]).toEqual([302, `${origin.url}/k`]);
      expect(told.headers).toMatchObject({ 'isync-mirror': 'BYPASS', 'cache-control': 'no-store' });
    });

    it('larger than can be streamed is redirected to once it is kept', async () => {
      const { ask } = await begin({ mostBytes: 5 });
      const told = await ask('/k');
      expect([told.status, told.headers['location']]).toEqual([302, `${SERVICE}/k`]);
    });

    it.each([
      [403, 502],
      [500, 502],
      [429, 503],
      [503, 503],
    ])('and the origin refuses with %d is %d', async (status, answered) => {
      const { ask } = await begin({}, (_, response) => {
        response.writeHead(status, { 'retry-after': '7' });
        response.end('http://10.0.0.1 is ill');
      });
      const told = await ask('/k');
      expect([told.status, told.headers['isync-mirror']]).toEqual([answered, 'ERROR']);
      expect(told.headers['cache-control']).toBe('no-store');
      expect(told.body.toString()).not.toContain('10.0.0.1');
      expect(told.headers['retry-after']).toBe(answered === 503 ? '7' : undefined);
    });

    it('and comes short is cut, or refused, and not kept', async () => {
      const { ask, bucket, mirror } = await begin({}, (_, response) => {
        response.writeHead(200, { 'content-length': '10' });
        response.write('01234', () => response.destroy());
      });
      const told = await ask('/k').then(
        ({ status }) => status,
        () => 'connection',
      );
      expect(told).toBe(caller.cut);
      await expect.poll(() => mirror.fills.state.fills).toBe(0);
      expect(await isKept(server, bucket, 'k')).toBe(false);
    });

    it('comes byte for byte, whatever it is', async () => {
      const bodies: Readonly<Record<string, { readonly body: Buffer; readonly type?: string }>> = {
        '/page': { body: Buffer.from('<p>caf\xe9</p>', 'latin1'), type: 'text/html' },
        '/page8': { body: Buffer.from('<p>café</p>'), type: 'text/html; charset=iso-8859-1' },
        '/bytes': { body: Buffer.from(Array.from({ length: 256 }, (__, byte) => byte)) },
        '/json': { body: Buffer.from('{"statusCode":500,"body":"x"}'), type: 'application/json' },
        '/packed': { body: gzipSync('packed'), type: 'text/css' },
        '/empty': { body: Buffer.alloc(0), type: 'text/plain' },
      };
      const { ask, bucket } = await begin({}, ({ url = '' }, response) => {
        const { body, type } = bodies[url]!;
        if (type !== undefined) response.setHeader('content-type', type);
        if (url === '/packed') response.setHeader('content-encoding', 'gzip');
        response.end(body);
      });
      for (const [path, { body, type = 'application/octet-stream' }] of Object.entries(bodies))
        for (const outcome of ['MISS', 'HIT']) {
          const told = await ask(path);
          expect([path, told.headers['isync-mirror']]).toEqual([path, outcome]);
          expect([path, told.headers['content-type']]).toEqual([path, type]);
          expect([path, told.headers['content-encoding']]).toEqual([
            path,
            path === '/packed' ? 'gzip' : undefined,
          ]);
          expect([path, told.body.equals(body)]).toEqual([path, true]);
          await expect.poll(() => isKept(server, bucket, path.slice(1))).toBe(true);
        }
    });

    it('is sent as it comes up to what its caller can pass on, and beyond that kept first', async () => {
      // Node's server passes on anything.
      const { mostBytes = 6_000_000 } = caller;
      // 200 MB are for the limit of what streams.
      const sizes = mostBytes > 10_000_000 ? [5_000_000] : [mostBytes, mostBytes + 1];
      const { ask } = await begin({}, ({ url = '' }, response) => {
        response.end(Buffer.alloc(Number(url.slice(1)), 0xff));
      });
      for (const size of sizes)
        for (const outcome of ['MISS', 'HIT']) {
          const told = await ask(`/${size}`);
          expect(told.headers['isync-mirror']).toBe(outcome);
          const isPassed = size <= (caller.mostBytes ?? Infinity);
          expect([told.status, told.body.length, told.headers['location']]).toEqual(
            isPassed ? [200, size, undefined] : [302, 0, `${SERVICE}/${size}`],
          );
          await expect
            .poll(async () => (await ask(`/${size}`, { method: 'HEAD' })).headers['isync-mirror'])
            .toBe('HIT');
        }
    });

    it('is fetched once for all who ask at a time', async () => {
      const held = Promise.withResolvers<ServerResponse>();
      const { ask, origin, served } = await begin({}, (_, response) => {
        response.writeHead(200, { 'content-length': '10' });
        held.resolve(response);
      });
      const asking = Array.from({ length: 20 }, async () => (await ask('/k')).body.toString());
      const response = await held.promise;
      response.write('01234');
      response.end('56789');
      expect(new Set(await Promise.all(asking))).toEqual(new Set([TEXT]));
      expect(origin.asked).toEqual(['GET /k']);
      const outcomes = served.map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === 'MISS').length).toBe(1);
      expect(outcomes.every((outcome) => ['MISS', 'JOINED', 'HIT'].includes(outcome))).toBe(true);
    });

    it('keeps the query in its key where the rule passes it', async () => {
      const { ask, origin, bucket } = await begin({ rule: { query: 'pass' }, onMiss: 'redirect' });
      const told = await ask('/k?a=%2F&b');
      expect(told.headers['location']).toBe(`${SERVICE}/k%3Fa%3D%252F%26b`);
      expect(origin.asked).toEqual(['GET /k?a=%2F&b']);
      expect(await isKept(server, bucket, 'k?a=%2F&b')).toBe(true);
    });
  });

  it('what the bucket lacks is kept though its client leaves', async () => {
    const waiting = Promise.withResolvers<ServerResponse>();
    const { port, bucket } = await beginner(NODE_SERVER)({}, (_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('01234');
      waiting.resolve(response);
    });
    const request = httpRequest({ host: '127.0.0.1', port, path: '/k', agent: false }).end();
    request.on('error', () => undefined);
    await once(request, 'response');
    request.destroy();
    (await waiting.promise).end('56789');
    await expect.poll(() => isKept(server, bucket, 'k')).toBe(true);
  });

  it('what a bucket that hangs does not keep is not waited for', async () => {
    const front = await startS3Front(server.endpoint);
    onTestFinished(async () => await front[Symbol.asyncDispose]());
    front.ignore = ({ method, url }) => method === 'PUT' && url?.endsWith('/pre/k') === true;
    const { client, env, credentials, region } = server;
    const behind: S3Server = {
      client,
      env,
      credentials,
      region,
      endpoint: front.endpoint,
      makeBucket: async () => await server.makeBucket(),
      stranger: async () => await server.stranger(),
      guest: async () => await server.guest(),
    };
    const origin = await startOrigin(all);
    const options: StageOptions = { onMiss: 'redirect', keptWithinMs: 200 };
    // An address of the loopback that is taken for one that clients can get to.
    const rule = mirrorRule.parse({ origins: [origin.url] });
    const rules = new MirrorRules(rulesOf({ rules: [rule], externalEndpoint: undefined }));
    const open = await startMirror(behind, origin.url, { ...options, rules });
    const told = await open.ask('/k');
    expect([told.status, told.headers['location'], told.headers['cache-control']]).toEqual([
      302,
      `${origin.url}/k`,
      'no-store',
    ]);
    const secret = { send: { 'x-key': { file: '/proc/sys/kernel/ostype' } } };
    for (const more of [{}, { rule: secret, rules }]) {
      const closed = await startMirror(behind, origin.url, { ...options, ...more });
      const streamed = await closed.ask('/k');
      expect([streamed.status, streamed.body.toString()]).toEqual([200, TEXT]);
    }
  });

  it.each(CALLERS)('by $name, a bucket that fails is 503 or 502, and never a 404', async (caller) => {
    const { ask } = await beginner(caller)({
      objects: {
        ask: async () => {
          const { IsyncError } = await import('../../src/model/isync-error.ts');
          throw new IsyncError('UNREACHABLE', 'away');
        },
      },
    });
    const told = await ask('/k');
    expect([told.status, told.headers['retry-after'], told.headers['cache-control']]).toEqual([
      503,
      '5',
      'no-store',
    ]);
  });
});
