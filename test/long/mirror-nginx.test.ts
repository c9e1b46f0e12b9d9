import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { HeadObjectCommand, type HeadObjectCommandOutput, NotFound } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { contentOf, temporaryFolder } from '../../harness/data-tree.ts';
import { type MirrorServer, mirrorSettled, startMirrorServer } from '../../harness/mirror-server.ts';
import { type Nginx, startNginx } from '../../harness/nginx.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks } from '../../harness/tools.ts';
import { type Got, PlainClient } from '../mirror/many-objects.ts';

/** After this long, in ms, a client comes again that was told to come later. */
const IMPATIENT_MS = 200;
/** Of a file that nginx gives out slowly: it sends what fits into a second at once. */
const SLOW_BYTES = 60_000;
const isLacking = lacks('nginx');
/** Names as an old server has them, which must be the same names on the way there and back. */
const NAMES = [
  'plain.jpg',
  'a b.txt',
  'ä/ö.html',
  'x%2e%2E.txt',
  'q?a=b.css',
  "it's (1) *.png",
  'a+b&c=d;e,f.js',
  '#hash.svg',
  '[x]{y}|z^`.json',
  '~user@host:80.xml',
  'no-type',
];

await withS3Server((server) => {
  interface Stage {
    readonly nginx: Nginx;
    readonly mirror: MirrorServer;
    readonly get: (path: string, headers?: Readonly<Record<string, string>>) => Promise<Got>;
    readonly headOf: (key: string) => Promise<HeadObjectCommandOutput | undefined>;
  }

  async function started(
    { directives = '', outside = '' }: { readonly directives?: string; readonly outside?: string } = {},
    rulesOf: (url: string) => readonly object[] = (url) => [{ origins: [url] }],
  ): Promise<Stage> {
    const nginx = await startNginx(directives, outside);
    onTestFinished(async () => await nginx[Symbol.asyncDispose]());
    const folder = await temporaryFolder('nginx-mirror');
    onTestFinished(async () => await folder[Symbol.asyncDispose]());
    const bucket = await server.makeBucket();
    const rules = rulesOf(nginx.url).map((rule) => ({ allowPrivate: true, ...rule }));
    const settings = { bucket: `s3://${bucket}/pre`, rules };
    const args = ['--status', '127.0.0.1:0'];
    const mirror = await startMirrorServer(server, { folder: folder.path, settings, args });
    onTestFinished(async () => await mirror[Symbol.asyncDispose]());
    const client = new PlainClient();
    onTestFinished(() => client[Symbol.dispose]());
    return {
      nginx,
      mirror,
      get: async (path, headers) => await client.get(`${mirror.url}${path}`, headers),
      headOf: async (key) => {
        try {
          return await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: `pre/${key}` }));
        } catch (error) {
          if (error instanceof NotFound) return undefined;
          throw error;
        }
      },
    };
  }

  const outcome = ({ status, headers }: Got): unknown[] => [status, headers['isync-mirror']];
  const encoded = (name: string): string => `/${name.split('/').map(encodeURIComponent).join('/')}`;

  describe.skipIf(isLacking)('isync mirror before nginx', () => {
    it('brings files of any name as they are, once', async () => {
      const { nginx, mirror, get, headOf } = await started();
      for (const [index, name] of NAMES.entries()) nginx.write(name, contentOf(name, index * 40_000));
      for (const name of NAMES) {
        const direct = await fetch(nginx.url + encoded(name));
        const got = await get(encoded(name));
        expect([name, ...outcome(got)]).toEqual([name, 200, 'MISS']);
        expect([name, got.body.equals(readFileSync(join(nginx.root, name)))]).toEqual([name, true]);
        for (const header of ['content-type', 'etag', 'last-modified', 'content-length'])
          expect([name, header, got.headers[header]]).toEqual([name, header, direct.headers.get(header)]);
      }
      await mirrorSettled(mirror);
      const asked = nginx.answered.length;
      for (const name of NAMES) {
        const got = await get(encoded(name));
        expect([name, ...outcome(got)]).toEqual([name, 200, 'HIT']);
        expect([name, got.body.equals(readFileSync(join(nginx.root, name)))]).toEqual([name, true]);
        const { Metadata = {}, ContentType } = (await headOf(name)) ?? {};
        expect(ContentType).toBe(got.headers['content-type']);
        const seconds = Math.floor(statSync(join(nginx.root, name)).mtimeMs / 1000);
        expect(Metadata['isync-origin-modified']).toBe(new Date(seconds * 1000).toISOString());
        expect(Metadata['isync-origin-etag']).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/);
      }
      expect(nginx.answered.length).toBe(asked);
    });

    it('cuts ranges out of what comes whole, and knows nginx’s own validators', async () => {
      const { nginx, mirror, get, headOf } = await started();
      const content = contentOf('film', 1_000_000);
      for (const name of ['a', 'b', 'c', 'd']) nginx.write(name, content);
      const part = await get('/a', { range: 'bytes=999990-' });
      expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 999990-999999/1000000']);
      expect(part.body.equals(content.subarray(999_990))).toBe(true);
      const seconds = Math.floor(statSync(join(nginx.root, 'b')).mtimeMs / 1000);
      const etag = `"${seconds.toString(16)}-${content.length.toString(16)}"`;
      expect((await get('/b', { 'if-none-match': etag })).status).toBe(304);
      expect((await get('/c', { 'if-modified-since': new Date().toUTCString() })).status).toBe(304);
      expect((await get('/d', { range: 'bytes=2000000-' })).status).toBe(416);
      await mirrorSettled(mirror);
      for (const name of ['a', 'b', 'c', 'd'])
        expect(await headOf(name)).toMatchObject({ ContentLength: 1_000_000 });
      expect(nginx.answered.map(({ status, range }) => [status, range])).toEqual(
        Array.from({ length: 4 }, () => [200, '']),
      );
      const warm = await get('/a', { range: 'bytes=5-9' });
      expect([...outcome(warm), String(warm.body)]).toEqual([206, 'HIT', String(content.subarray(5, 10))]);
    });

    it('asks for what is not packed, and keeps what comes packed all the same', async () => {
      const { nginx, mirror, get, headOf } = await started({
        directives: `
    gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0;
    location /packed/ { gzip_static always; }
    location /chunked/ { gzip_static always; gunzip on; }
    location /cut/ { gzip_static always; gunzip on; chunked_transfer_encoding off; }`,
      });
      const text = 'packed well, since it says the same again and again. '.repeat(5000);
      const packed = gzipSync(text);
      nginx.write('plain.txt', text);
      for (const folder of ['packed', 'chunked', 'cut']) nginx.write(`${folder}/a.txt.gz`, packed);
      const check = async (path: string, wanted: string, body: Buffer, encoding?: string) => {
        const got = await get(path, { 'accept-encoding': 'gzip' });
        expect([path, ...outcome(got), got.headers['content-encoding']]).toEqual([
          path,
          200,
          wanted,
          encoding,
        ]);
        expect([path, got.body.equals(body)]).toEqual([path, true]);
      };
      for (const wanted of ['MISS', 'HIT']) {
        await check('/plain.txt', wanted, Buffer.from(text));
        await check('/packed/a.txt', wanted, packed, 'gzip');
        // nginx unpacks it for who has not asked for gzip, and so can't tell its length: in chunks.
        await check('/chunked/a.txt', wanted, Buffer.from(text));
        // What ends with the connection may have been cut: passed on, never kept.
        await check('/cut/a.txt', 'MISS', Buffer.from(text));
        await mirrorSettled(mirror);
      }
      expect(await headOf('packed/a.txt')).toMatchObject({
        ContentLength: packed.length,
        ContentEncoding: 'gzip',
      });
      expect(await headOf('chunked/a.txt')).toMatchObject({ ContentLength: text.length });
      expect(await headOf('cut/a.txt')).toBeUndefined();
      expect(new Set(nginx.answered.map(({ acceptEncoding }) => acceptEncoding))).toEqual(
        new Set(['identity']),
      );
    });

    it('follows redirects to a file, some hops, and gives its secret to its own server alone', async () => {
      const other = await startNginx();
      onTestFinished(async () => await other[Symbol.asyncDispose]());
      other.write('there.txt', 'elsewhere');
      const folder = await temporaryFolder('nginx-secret');
      onTestFinished(async () => await folder[Symbol.asyncDispose]());
      const secret = join(folder.path, 'secret');
      const authorization = `Basic ${Buffer.from('user:sesame').toString('base64')}`;
      writeFileSync(secret, authorization, { mode: 0o600 });
      const { nginx, mirror, get, headOf } = await started(
        {
          directives: `
    location /old/ { rewrite ^/old/(.*)$ /new/$1 permanent; }
    location /far/ { return 302 ${other.url}/there.txt; }
    location /round/ { return 302 /round/; }
    location /meta/ { return 302 http://169.254.169.254/latest/meta-data/; }
    location /file/ { return 302 file:///etc/passwd; }`,
        },
        (url) => [{ origins: [url], send: { Authorization: { file: secret } } }],
      );
      nginx.write('new/x.txt', 'moved');
      nginx.write('new/index.html', 'an index');
      const moved = await get('/old/x.txt');
      expect([...outcome(moved), String(moved.body)]).toEqual([200, 'MISS', 'moved']);
      // nginx sends who forgets the "/" of a folder to it.
      expect(String((await get('/new')).body)).toBe('an index');
      expect(String((await get('/far/x')).body)).toBe('elsewhere');
      for (const path of ['/round/', '/meta/x', '/file/x'])
        expect(outcome(await get(path))).toEqual([502, 'ERROR']);
      await mirrorSettled(mirror);
      for (const key of ['old/x.txt', 'new', 'far/x']) expect(await headOf(key)).toBeDefined();
      for (const key of ['round/', 'meta/x', 'file/x', 'there.txt'])
        expect(await headOf(key)).toBeUndefined();
      expect(new Set(nginx.answered.map((each) => each.authorization))).toEqual(new Set([authorization]));
      expect(other.answered.map((each) => each.authorization)).toEqual(['']);
      expect(nginx.answered.filter(({ target }) => target === '/round/')).toHaveLength(4);
      expect(mirror.process.stderr).not.toContain(authorization);
    });

    it('shows a password where it has one, and where it has the wrong one says 502 and why in the log', async () => {
      const folder = await temporaryFolder('nginx-users');
      onTestFinished(async () => await folder[Symbol.asyncDispose]());
      const users = join(folder.path, 'users');
      writeFileSync(users, 'user:{PLAIN}sesame\n');
      for (const password of ['sesame', 'wrong'])
        writeFileSync(
          join(folder.path, password),
          `Basic ${Buffer.from(`user:${password}`).toString('base64')}`,
          {
            mode: 0o600,
          },
        );
      const send = (password: string) => ({ Authorization: { file: join(folder.path, password) } });
      const { nginx, mirror, get, headOf } = await started(
        { directives: `location /closed/ { auth_basic "old"; auth_basic_user_file ${users}; }` },
        (url) => [
          { origins: [url], match: { prefix: 'closed/' }, send: send('sesame') },
          {
            origins: [`${url}/closed/`],
            match: { prefix: 'wrong/' },
            key: { strip: 'wrong/' },
            send: send('wrong'),
          },
          { origins: [`${url}/closed/`], key: { strip: 'none/' } },
        ],
      );
      nginx.write('closed/a.txt', 'secret');
      // A client's own password is none of the origin's.
      const theirs = { authorization: `Basic ${Buffer.from('user:theirs').toString('base64')}` };
      expect(String((await get('/closed/a.txt', theirs)).body)).toBe('secret');
      for (const path of ['/wrong/a.txt', '/none/a.txt']) {
        const got = await get(path);
        expect([...outcome(got), got.headers['cache-control']]).toEqual([502, 'ERROR', 'no-store']);
        expect(got.headers).not.toHaveProperty('www-authenticate');
      }
      await mirrorSettled(mirror);
      expect(await headOf('closed/a.txt')).toBeDefined();
      expect(await headOf('wrong/a.txt')).toBeUndefined();
      expect(mirror.process.stderr).toContain('refuses us (401)');
      expect(mirror.process.stderr).not.toContain('sesame');
      expect(nginx.answered.map(({ status }) => status)).toEqual([200, 401, 401]);
    });

    it('tells of what nginx refuses as it is meant, and keeps none of its pages', async () => {
      const { nginx, mirror, get, headOf } = await started({
        directives: `
    location /gone/ { return 410; }
    location /forbidden/ { deny all; }
    location /ill/ { return 500 "<h1>ill</h1>"; }
    location /busy/ { add_header Retry-After 7 always; return 503; }
    location /many/ { return 429; }
    location /short/ { return 204; }
    location /teapot/ { return 418; }`,
      });
      nginx.write('index.txt', 'here');
      const cases = [
        ['/none', 404, 'MISS'],
        ['/none', 404, 'NEGATIVE'],
        ['/gone/x', 404, 'MISS'],
        ['/forbidden/x', 502, 'ERROR'],
        ['/teapot/x', 502, 'ERROR'],
        ['/short/x', 502, 'ERROR'],
        ['/ill/x', 502, 'ERROR'],
        ['/busy/x', 503, 'ERROR'],
        ['/many/x', 503, 'ERROR'],
      ] as const;
      for (const [path, status, what] of cases) {
        const got = await get(path);
        expect([path, ...outcome(got), got.headers['cache-control']]).toEqual([
          path,
          status,
          what,
          'no-store',
        ]);
        expect(String(got.body)).not.toMatch(/nginx|<h1>/);
        expect([path, got.headers['retry-after']]).toEqual([
          path,
          path === '/busy/x' ? '7' : path === '/many/x' ? '10' : undefined,
        ]);
      }
      expect(String((await get('/index.txt')).body)).toBe('here');
      await mirrorSettled(mirror);
      for (const [path] of cases) expect(await headOf(path.slice(1))).toBeUndefined();
      expect(await headOf('index.txt')).toBeDefined();
      expect(nginx.answered.map(({ status }) => status)).toEqual([
        404, 410, 403, 418, 204, 500, 503, 429, 200,
      ]);
    });

    it('gets all of it in the end from one that serves few at a time, and few on each connection', async () => {
      const { nginx, mirror, get, headOf } = await started({
        outside: '  limit_conn_zone $server_addr zone=few:1m; keepalive_requests 3;',
        // Each takes some 2 s, so that those which the mirror asks for at a time meet.
        directives: '    limit_conn few 6; limit_rate 20k;',
      });
      const names = Array.from({ length: 16 }, (_, index) => `file-${index}.txt`);
      for (const name of names) nginx.write(name, contentOf(name, SLOW_BYTES));
      const statuses = new Set<number>();
      await Promise.all(
        names.map(async (name) => {
          for (;;) {
            const got = await get(`/${name}`);
            statuses.add(got.status);
            if (got.status === 503) {
              await delay(IMPATIENT_MS);
              continue;
            }
            expect(got.body.equals(contentOf(name, SLOW_BYTES))).toBe(true);
            return;
          }
        }),
      );
      expect(statuses).toEqual(new Set([200, 503]));
      await mirrorSettled(mirror);
      for (const name of names) expect(await headOf(name)).toMatchObject({ ContentLength: SLOW_BYTES });
      expect(nginx.answered.filter(({ status }) => status === 200)).toHaveLength(names.length);
    });

    it('keeps nothing of a body that a killed nginx has left off, and all of it when that is back', async () => {
      const { nginx, mirror, get, headOf } = await started({ directives: '    limit_rate 300k;' });
      const content = contentOf('large', 3_000_000);
      nginx.write('large.bin', content);
      const cut = get('/large.bin');
      cut.catch(() => undefined);
      await expect
        .poll(
          async () =>
            (await (await fetch(`${mirror.status}/metrics`)).text()).match(/origin_bytes_total.* (\d+)/)?.[1],
        )
        .toMatch(/\d{4,}/);
      await nginx.kill();
      await expect(cut).rejects.toThrow('aborted');
      await mirrorSettled(mirror);
      expect(await headOf('large.bin')).toBeUndefined();
      expect(outcome(await get('/large.bin'))).toEqual([502, 'ERROR']);
      await nginx.start();
      const whole = await get('/large.bin');
      expect([...outcome(whole), whole.body.equals(content)]).toEqual([200, 'MISS', true]);
      await mirrorSettled(mirror);
      const md5 = createHash('md5').update(content).digest('hex');
      expect(await headOf('large.bin')).toMatchObject({ ETag: `"${md5}"` });
      expect((await mirror.process.stop('SIGTERM')).exitCode).toBe(0);
    });
  });
});
