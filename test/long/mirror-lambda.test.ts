import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startMirrorBulkStage } from '../../harness/mirror-bulk-stage.ts';
import { type S3Server, withS3Server } from '../../harness/s3-server.ts';
import { urlEvent } from '../mirror/url-event.ts';

const RUNTIME = fileURLToPath(new URL('../mirror/lambda-runtime.ts', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const MOST_ZIPPED_BYTES = 1024 * 1024;
const LATIN_1 = Buffer.from('<p>caf\xe9</p>', 'latin1');
const LARGE = Buffer.alloc(6_000_000, 'isync');

interface Result {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

type Handler = 'handler' | 'streamHandler';

/** The bundle as it is built, in a process of its own that stands for Lambda's. */
async function startFunction(server: S3Server, settings: Readonly<Record<string, unknown>> = {}) {
  await using stack = new AsyncDisposableStack();
  const stage = stack.use(await startMirrorBulkStage(server));
  const { web, at } = stage;
  await stage.configure({
    serviceEndpoint: 'https://cdn.example',
    rules: [{ origins: [`${web.url}/`], allowPrivate: true }],
    ...settings,
  });
  const bundle = at('index.mjs');
  await promisify(execFile)('npm', ['run', '--silent', 'build:lambda', '--', `--outfile=${bundle}`], {
    cwd: CHECKOUT,
  });
  const runtime = spawn(process.execPath, [RUNTIME, bundle], {
    env: { PATH: process.env['PATH'], ...server.env, ISYNC_CONFIG: at('mirror.yaml'), TMPDIR: stage.folder },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stack.defer(async () => {
    runtime.stdin.end();
    await once(runtime, 'exit');
  });
  const lines = createInterface({ input: runtime.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => JSON.parse((await lines.next()).value ?? 'null') as T;
  const { importMs } = await next<{ readonly importMs: number }>();
  const invoke = async (
    handler: Handler,
    path: string,
    { method = 'GET', remainingMs = 60_000 } = {},
  ): Promise<Result> => {
    const event = urlEvent(path, method);
    runtime.stdin.write(`${JSON.stringify({ handler, event, remainingMs })}\n`);
    const result = await next<{ statusCode: number; headers: Record<string, string>; body: string }>();
    return { ...result, body: Buffer.from(result.body, 'base64') };
  };
  const parts = stack.move();
  return { stage, web, bundle, importMs, invoke, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

await withS3Server((server) => {
  describe('the bundle for Lambda', () => {
    it('is small', async () => {
      await using made = await startFunction(server);
      const bytes = gzipSync(await readFile(made.bundle)).length;
      console.log(`bundle: ${bytes} bytes packed, import ${Math.round(made.importMs)} ms`);
      expect(bytes).toBeLessThan(MOST_ZIPPED_BYTES);
    });

    it.each<Handler>(['handler', 'streamHandler'])(
      'keeps what is missing, and sends the client to the bucket: %s',
      async (handler) => {
        await using made = await startFunction(server);
        const { web, stage, invoke } = made;
        web.files.set('/a page', { body: LATIN_1, type: 'text/html; charset=iso-8859-1' });
        const first = await invoke(handler, '/a%20page');
        expect(first).toMatchObject({
          statusCode: 302,
          headers: { location: 'https://cdn.example/a%20page', 'cache-control': 'no-store' },
        });
        expect(await stage.headOf('a page')).toMatchObject({ ContentType: 'text/html; charset=iso-8859-1' });
        expect(web.asked).toEqual(['GET /a%20page']);
        expect(await invoke(handler, '/none')).toMatchObject({ statusCode: 404 });
        expect(await invoke(handler, '/%2e%2e/x')).toMatchObject({ statusCode: 400 });
        expect(await invoke(handler, '/a%20page', { method: 'POST' })).toMatchObject({ statusCode: 405 });
        // Nothing is left of bodies.
        const files = (await readdir(stage.folder)).filter((name) => name.startsWith('isync-spool'));
        for (const name of files) expect(await readdir(stage.at(name))).toEqual([]);
      },
    );

    it.each<Handler>(['handler', 'streamHandler'])(
      'tells of an origin that fails as the server does, and keeps nothing of it: %s',
      async (handler) => {
        await using made = await startFunction(server);
        const { web, stage, invoke } = made;
        const rule = { origins: [`${web.url}/`], allowPrivate: true };
        await stage.configure({
          serviceEndpoint: 'https://cdn.example',
          rules: [{ ...rule, maxSize: '1000', timeouts: { firstByte: '1s' }, types: ['text/*'] }],
        });
        web.instead = ({ url = '' }, response) => {
          const status = /^\/(\d{3})$/.exec(url)?.[1];
          response.setHeader('content-type', url === '/soft' ? 'application/x-old' : 'text/plain');
          if (status !== undefined) response.writeHead(Number(status)).end('http://10.0.0.1 is ill');
          else if (url === '/large')
            response.writeHead(200, { 'content-length': '1001' }).end(Buffer.alloc(1001));
          else if (url === '/md5')
            response.writeHead(200, { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }).end('x');
          else if (url === '/round') response.writeHead(302, { location: '/round' }).end();
          else if (url === '/soft') response.end('passed on');
          else if (url === '/short')
            response.writeHead(200, { 'content-length': '100' }).write('begins', () => response.destroy());
        };
        const told: [string, number][] = [];
        const paths = [
          '/404',
          '/410',
          '/401',
          '/403',
          '/md5',
          '/round',
          '/short',
          '/500',
          '/503',
          '/large',
          '/silent',
        ];
        for (const path of [...paths, '/soft']) {
          const { statusCode, headers, body } = await invoke(handler, path);
          told.push([path, statusCode]);
          expect([path, headers['cache-control']]).toEqual([path, path === '/soft' ? undefined : 'no-store']);
          expect(String(body)).toMatch(path === '/soft' ? /^passed on$/ : /^(?!.*10\.0\.0\.1)/);
          expect(headers['location']).toBe(path === '/large' ? `${web.url}/large` : undefined);
          expect(headers['retry-after']).toBe(path === '/503' ? '10' : undefined);
          expect(await stage.textOf(path.slice(1))).toBeUndefined();
        }
        const wanted = [404, 404, 502, 502, 502, 502, 502, 502, 503, 302, 504, 200];
        expect(told).toEqual([...paths, '/soft'].map((path, index) => [path, wanted[index]]));
      },
    );

    it('sends the client to its own host where no service endpoint is named, and never to another', async () => {
      await using made = await startFunction(server, { serviceEndpoint: undefined });
      made.web.files.set('/b', { body: 'b' });
      made.web.files.set('//evil.example/x', { body: 'x' });
      expect(await made.invoke('handler', '/b')).toMatchObject({
        statusCode: 302,
        headers: { location: '/b' },
      });
      const evil = await made.invoke('handler', '//evil.example/x');
      expect(evil).toMatchObject({ statusCode: 302, headers: { location: '/%2Fevil.example/x' } });
    });

    it('streams what is small where it is told to, byte for byte, and sends away from what is too large to hold', async () => {
      await using made = await startFunction(server, { onMiss: 'stream' });
      const { web, invoke } = made;
      web.files.set('/page', { body: LATIN_1, type: 'text/html' });
      web.files.set('/large', { body: LARGE });
      const page = await invoke('handler', '/page');
      expect(page).toMatchObject({ statusCode: 200, headers: { 'content-type': 'text/html' } });
      expect(page.body.equals(LATIN_1)).toBe(true);
      expect(await made.stage.textOf('page')).toBeDefined();
      expect(await invoke('handler', '/large')).toMatchObject({
        statusCode: 302,
        headers: { location: 'https://cdn.example/large' },
      });
      expect(await made.stage.headOf('large')).toMatchObject({ ContentLength: LARGE.length });
    });

    it('gives up a fill that can not end in time, and sends the client to the origin', async () => {
      await using made = await startFunction(server);
      const { web, invoke } = made;
      web.instead = (_request, response) => {
        response.writeHead(200, { 'Content-Length': '1000' });
        response.write('begins');
      };
      const late = await invoke('handler', '/slow', { remainingMs: 12_000 });
      expect(late).toMatchObject({ statusCode: 302, headers: { location: `${web.url}/slow` } });
      expect(await made.stage.textOf('slow')).toBeUndefined();
    });
  });
});
