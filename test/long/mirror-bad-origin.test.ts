import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import {
  bytesOnly,
  chunked,
  closeDelimited,
  cutAfter,
  gzipUnasked,
  headOf,
  hugeHead,
  longer,
  never,
  type OriginReply,
  redirect,
  shorter,
  slow,
  startHostileOrigin,
  stuckAfter,
  whole,
  wrongMd5,
} from '../../harness/hostile-origin.ts';
import { metricOf, mirrorSettled, startMirrorServer } from '../../harness/mirror-server.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { PROBE_KEY } from '../../src/mirror/kept/conditions.ts';
import { type Got, PlainClient } from '../mirror/many-objects.ts';

const SERVICE = 'https://cdn.example';
const BODY = '0123456789'.repeat(30);
/** Of a rule, so short that a test need not wait for long. */
const TIMEOUTS = { firstByte: '2s', idle: '2s' };
const TEN_GIB = 10 * 1024 ** 3;

interface Case {
  readonly name: string;
  readonly reply: OriginReply;
  /** What a client gets to which bodies are streamed; 'cut': a body that it sees to be not whole; 'any': one of 200 and that. */
  readonly streamed: number | 'cut' | 'any';
  /** What one gets that is sent on when the object is kept. */
  readonly redirected: number;
  readonly isKept?: true;
}

const CASES: readonly Case[] = [
  { name: 'whole', reply: whole(BODY), streamed: 200, redirected: 302, isKept: true },
  { name: 'slow', reply: slow(BODY, { bytes: 30, ms: 20 }), streamed: 200, redirected: 302, isKept: true },
  { name: 'chunked', reply: chunked([BODY, BODY]), streamed: 200, redirected: 302, isKept: true },
  { name: 'gzip', reply: gzipUnasked(BODY), streamed: 200, redirected: 302, isKept: true },
  { name: 'silent', reply: never, streamed: 504, redirected: 504 },
  { name: 'stuck', reply: stuckAfter(100, BODY), streamed: 'cut', redirected: 504 },
  { name: 'longer', reply: longer(BODY, 'more'), streamed: 'any', redirected: 502 },
  { name: 'shorter', reply: shorter(BODY, 1000), streamed: 'cut', redirected: 502 },
  { name: 'reset', reply: cutAfter(100, BODY, {}, true), streamed: 'cut', redirected: 502 },
  { name: 'chunks-cut', reply: chunked([BODY], { cut: true }), streamed: 'cut', redirected: 502 },
  { name: 'md5', reply: wrongMd5(BODY), streamed: 'cut', redirected: 502 },
  { name: 'close-delimited', reply: closeDelimited(BODY), streamed: 200, redirected: 200 },
  {
    name: 'soft-404',
    reply: whole('<p>no', { 'Content-Type': 'text/html' }),
    streamed: 200,
    redirected: 200,
  },
  {
    name: 'part',
    reply: whole(BODY, { 'Content-Range': 'bytes 0-299/900' }, '206 Partial Content'),
    streamed: 502,
    redirected: 502,
  },
  {
    name: 'unchanged',
    reply: bytesOnly('HTTP/1.1 304 Not Modified\r\n\r\n'),
    streamed: 502,
    redirected: 502,
  },
  { name: 'large-head', reply: hugeHead(40_000), streamed: 502, redirected: 502 },
  { name: 'no-http', reply: bytesOnly('SSH-2.0-OpenSSH\r\n'), streamed: 502, redirected: 502 },
  { name: 'metadata', reply: redirect('http://169.254.169.254/latest/'), streamed: 502, redirected: 502 },
  { name: 'mapped', reply: redirect('http://[::ffff:169.254.169.254]/'), streamed: 502, redirected: 502 },
  { name: 'packed-address', reply: redirect('http://0xa9fea9fe/'), streamed: 502, redirected: 502 },
  {
    name: '10-gib',
    reply: (socket) => void socket.write(headOf('200 OK', { 'Content-Length': TEN_GIB })),
    streamed: 302,
    redirected: 302,
  },
];

await withS3Server((server) => {
  async function started(rules: readonly object[], more: object = {}) {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryFolder('bad-origin'));
    const bucket = await server.makeBucket();
    const mirror = stack.use(
      await startMirrorServer(server, {
        folder: folder.path,
        settings: { bucket: `s3://${bucket}/pre`, serviceEndpoint: SERVICE, rules, ...more },
        args: ['--status', '127.0.0.1:0'],
      }),
    );
    const client = stack.use(new PlainClient(false));
    const parts = stack.move();
    return {
      mirror,
      get: async (path: string): Promise<Omit<Got, 'status'> & { readonly status: number | 'cut' }> =>
        await client
          .get(`${mirror.url}${path}`)
          .catch(() => ({ status: 'cut', headers: {}, body: Buffer.alloc(0) })),
      /** Of the bucket, sorted; when nothing is done about any key any more, and nothing is left of bodies. */
      kept: async (): Promise<string[]> => {
        await mirrorSettled(mirror);
        await expect.poll(() => metricOf(mirror, 'isync_mirror_spool_bytes')).toBe(0);
        expect(await readdir(join(folder.path, 'spool'))).toEqual([]);
        const keys: string[] = [];
        for await (const { Contents = [] } of paginateListObjectsV2(
          { client: server.client },
          { Bucket: bucket },
        ))
          for (const { Key = '', Size = -1 } of Contents) keys.push(`${Key.slice('pre/'.length)} ${Size}`);
        return keys.filter((line) => !line.startsWith(`${PROBE_KEY} `)).sort();
      },
      [Symbol.asyncDispose]: async () => await parts.disposeAsync(),
    };
  }

  describe('isync mirror before an origin that does it wrong', () => {
    it.each(['stream', 'redirect'] as const)(
      'answers as it must, and keeps nothing bad: %s',
      async (onMiss) => {
        await using origin = await startHostileOrigin((socket, asked) =>
          CASES.find(({ name }) => asked.target.startsWith(`/${name}/`))?.reply(socket, asked),
        );
        // Each has a breaker of its own.
        const rules = CASES.map(({ name }) => ({
          match: { prefix: `${name}/` },
          origins: [`${origin.url}/${name}/`],
          key: { strip: `${name}/` },
          types: name === 'soft-404' ? ['image/*'] : [],
          timeouts: TIMEOUTS,
          allowPrivate: true,
        }));
        await using stage = await started(rules, { onMiss });
        const kept: string[] = [];
        for (const { name, streamed, redirected, isKept } of CASES) {
          const { status, headers, body } = await stage.get(`/${name}/x`);
          const wanted = onMiss === 'stream' ? streamed : redirected;
          const isRight = wanted === 'any' ? status === 200 || status === 'cut' : status === wanted;
          expect([name, status, isRight]).toEqual([name, status, true]);
          const isBody = status === 200 || status === 'cut';
          expect([name, headers['cache-control']]).toEqual([name, isBody ? undefined : 'no-store']);
          const place = name === '10-gib' ? `${origin.url}/10-gib/x` : `${SERVICE}/${name}/x`;
          expect([name, headers['location']]).toEqual([name, status === 302 ? place : undefined]);
          expect([name, headers['content-encoding']]).toEqual([
            name,
            name === 'gzip' && status === 200 ? 'gzip' : undefined,
          ]);
          if (isKept === true) kept.push(`${name}/x`);
          expect(body.length).toBeLessThan(1000);
        }
        expect((await stage.kept()).map((line) => line.split(' ')[0])).toEqual(kept.toSorted());
        expect((await stage.mirror.process.stop('SIGTERM')).exitCode).toBe(0);
      },
    );

    it('keeps nothing of an answer that is cut in its head or its body, and all of one that is not', async () => {
      const all = headOf('200 OK', { 'Content-Length': BODY.length }).length + BODY.length;
      await using origin = await startHostileOrigin((socket, asked) =>
        cutAfter(Number(asked.target.split('/').at(-1)), BODY)(socket, asked),
      );
      await using stage = await started([{ origins: [origin.url], allowPrivate: true }], {
        onMiss: 'stream',
      });
      const statuses = new Map<unknown, number>();
      for (let bytes = 0; bytes < all; bytes++) {
        const { status } = await stage.get(`/${bytes}`);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // Five that are cut before their head is whole are an origin that is away.
        if (status !== 503) continue;
        await expect.poll(() => metricOf(stage.mirror, 'isync_mirror_breaker_open')).toBe(1);
        break;
      }
      expect(new Set(statuses.keys())).toEqual(new Set([502, 503]));
      await using calm = await started([{ origins: [origin.url], allowPrivate: true }], { onMiss: 'stream' });
      const head = all - BODY.length;
      for (let bytes = head; bytes < all; bytes += bytes < all - 10 ? 7 : 1)
        expect([bytes, (await calm.get(`/${bytes}`)).status]).toEqual([bytes, 'cut']);
      expect(await calm.kept()).toEqual([]);
      expect(String((await calm.get(`/${all}`)).body)).toBe(BODY);
      expect(await calm.kept()).toEqual([`${all} ${BODY.length}`]);
      expect(await stage.kept()).toEqual([]);
    });

    it('connects to no address that is not public, however it is written, and to none that is down', async () => {
      await using origin = await startHostileOrigin(whole(BODY));
      await using gone = await startHostileOrigin(whole(BODY));
      await gone[Symbol.asyncDispose]();
      const hosts = [
        '127.0.0.1',
        'localhost',
        '0x7f.1',
        '2130706433',
        '[::ffff:127.0.0.1]',
        '0.0.0.0',
        '[::1]',
        '[::]',
      ];
      const rules = hosts.map((host, index) => ({
        match: { prefix: `${index}/` },
        origins: [`http://${host}:${origin.port}/`],
      }));
      const down = { match: { prefix: 'down/' }, origins: [gone.url], allowPrivate: true };
      await using stage = await started([...rules, down], { onMiss: 'stream' });
      for (const index of hosts.keys())
        expect([hosts[index], (await stage.get(`/${index}/x`)).status]).toEqual([hosts[index], 502]);
      expect((await stage.get('/down/x')).status).toBe(502);
      expect(origin.connections).toBe(0);
      expect(await stage.kept()).toEqual([]);
    });
  });
});
