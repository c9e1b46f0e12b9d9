import { createServer } from 'node:http';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli, startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { mirrorStarted } from '../../harness/mirror-server.ts';

const TEXT = '0123456789'.repeat(20_000);

/** Answers slowly where the path says so, until it is told to go on. */
async function startOrigin() {
  const asked: string[] = [];
  const slow = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (request.url?.startsWith('/old/none') === true) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': TEXT.length, 'content-type': 'text/x-old' });
    if (request.method === 'HEAD') return void response.end();
    response.write(TEXT.slice(0, 1000));
    const rest = (): void => void response.end(TEXT.slice(1000));
    if (request.url?.startsWith('/old/slow') === true) void slow.promise.then(rest);
    else rest();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}/old`, asked, goOn: () => slow.resolve() };
}

await withS3Server((server) => {
  describe('isync mirror', () => {
    it('fills a bucket as it is asked, tells of itself, and ends with what it has begun', async () => {
      const origin = await startOrigin();
      const bucket = await server.makeBucket();
      await using folder = await temporaryFolder('mirror');
      const config = join(folder.path, 'mirror.yaml');
      const rules = [{ origins: [origin.url], allowPrivate: 'true' }];
      await writeFile(
        config,
        JSON.stringify({ bucket: `s3://${bucket}/pre`, s3Endpoint: server.endpoint, rules }),
      );
      const args = [
        'mirror',
        '--config',
        config,
        '--listen',
        '127.0.0.1:0',
        '--status',
        '127.0.0.1:0',
        '--json',
      ];
      await using mirror = startCli([...args, '--spool', folder.path], { env: server.env });
      const { url, status } = await mirrorStarted(mirror);
      const get = async (path: string, init?: RequestInit) => await fetch(`${url}${path}`, init);

      const cold = await get('/a');
      expect([cold.status, await cold.text(), cold.headers.get('isync-mirror')]).toEqual([200, TEXT, 'MISS']);
      await expect
        .poll(async () => (await get('/a', { method: 'HEAD' })).headers.get('isync-mirror'))
        .toBe('HIT');
      const warm = await get('/a');
      expect([warm.status, await warm.text(), warm.headers.get('content-type')]).toEqual([
        200,
        TEXT,
        'text/x-old',
      ]);
      const range = await get('/a', { headers: { range: 'bytes=5-9' } });
      expect([range.status, await range.text()]).toEqual([206, '56789']);
      expect((await get('/none')).status).toBe(404);
      expect((await get('/b', { method: 'HEAD' })).headers.get('content-length')).toBe(String(TEXT.length));
      // A HEAD may come while the fill ends.
      const asked = origin.asked.filter((line) => line !== 'HEAD /old/a');
      expect(asked).toEqual(['GET /old/a', 'GET /old/none', 'HEAD /old/b']);

      for (const base of [url, status])
        for (const path of ['/healthz', '/readyz']) expect((await fetch(`${base}${path}`)).status).toBe(200);
      const metrics = await (await fetch(`${status}/metrics`)).text();
      expect(metrics).toMatch(/isync_mirror_requests_total\{outcome="MISS"\} [1-9]/);
      expect(metrics).toContain('isync_mirror_fills_ended_total{rule="rules[0]",end="kept"} 1');
      expect(metrics).toContain(`isync_mirror_kept_bytes_total{rule="rules[0]"} ${TEXT.length}`);
      expect(metrics).toMatch(
        /isync_mirror_origin_seconds_count\{origin="http:\/\/127\.0\.0\.1:\d+\/old\/",outcome="found"\} [2-9]/,
      );
      expect(metrics).toMatch(/isync_mirror_breaker_open\{.*\} 0/);
      expect(metrics).toContain('isync_mirror_spool_bytes 0');

      const slow = await get('/slow');
      const ended = mirror.stop('SIGTERM');
      await mirror.until('the mirror to be told', () => mirror.stderr.includes('finishing') || undefined);
      origin.goOn();
      expect(await slow.text()).toBe(TEXT);
      const { exitCode, stdout, stderr } = await ended;
      expect([exitCode, stdout.trim().split('\n').at(-1)]).toEqual([0, '{"exitCode":0}']);
      expect(stderr).toContain('"key":"slow"');
      const head = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'pre/slow' }));
      expect(head.ContentLength).toBe(TEXT.length);
    });

    it('takes three variables and nothing else', async () => {
      await using folder = await temporaryFolder('mirror');
      const store = {
        s3_bucket: await server.makeBucket(),
        external_endpoint: 'http://192.0.2.1/',
        service_endpoint: 'https://cdn.example',
        ISYNC_S3_ENDPOINT: server.endpoint,
        ISYNC_LISTEN: '127.0.0.1:0',
        ISYNC_SPOOL: folder.path,
      };
      await using mirror = startCli(['mirror', '--json'], { env: { ...server.env, ...store } });
      const { url } = await mirrorStarted(mirror);
      expect((await fetch(`${url}/%00`)).status).toBe(400);
      expect((await mirror.stop('SIGTERM')).exitCode).toBe(0);
    });

    it('ends at once where its bucket is not there, or is refused', async () => {
      const args = ['mirror', '--external-endpoint', 'http://192.0.2.1', '--s3-endpoint', server.endpoint];
      const none = await runCli([...args, '--bucket', 'isync-there-is-none'], { env: server.env });
      expect([none.exitCode, none.stderr]).toEqual([5, expect.stringContaining('[STORE_MISSING]')]);
      const bucket = await server.makeBucket();
      const env = { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong' };
      const refused = await runCli([...args, '--bucket', bucket], { env });
      expect([refused.exitCode, refused.stderr]).toEqual([3, expect.stringContaining('[STORE_REFUSED]')]);
    });
  });
});

describe('isync mirror refuses', () => {
  const FILLED = ['mirror', '--bucket', 'new', '--external-endpoint', 'http://192.0.2.1'];

  it.each([
    [[], '[USAGE]', 'bucket: is missing'],
    [['--bucket', 'x y', '--external-endpoint', 'http://o'], '[USAGE]', '"x y" is no bucket'],
    [['--on-miss', 'never'], '[USAGE]', 'never'],
    [['--listn', 'x'], '[USAGE]', 'did you mean --listen?'],
    [['--token', 'sesame'], '[USAGE]', '--token-file'],
  ])('%j', async (args, code, message) => {
    const all = args.includes('--bucket') || args.length === 0 ? ['mirror', ...args] : [...FILLED, ...args];
    const { exitCode, stderr } = await runCli(all);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(code);
    expect(stderr).toContain(message);
  });

  it.each(['--token-file', '--status-token-file'])('a token that can be guessed: %s', async (option) => {
    await using folder = await temporaryFolder('mirror');
    const file = join(folder.path, 'token');
    await writeFile(file, 'sesame\n');
    const { exitCode, stderr } = await runCli([...FILLED, '--status', '127.0.0.1:0', option, file]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('it can be guessed')]);
    expect(stderr).toContain('openssl rand');
    expect(stderr).not.toContain('sesame');
  });

  it.each([
    [['--on-hit', 'stream']],
    [['--service-endpoint', 'https://cdn.example', '--on-hit', 'redirect', '--on-miss', 'stream']],
    [['--service-endpoint', 'https://cdn.example', '--on-hit', 'redirect', '--fallback']],
  ])('to let anybody on the network read the bucket: %j', async (args) => {
    const { exitCode, stderr } = await runCli([...FILLED, '--listen', '0.0.0.0:0', ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('listens on loopback only')]);
    expect(stderr).toContain('--public');
  });
});
