import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  paginateListObjectsV2,
} from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';
import { type MirrorServer, mirrorSettled, startMirrorServer } from '../../harness/mirror-server.ts';
import { until } from '../../harness/process.ts';
import { Random } from '../../harness/random.ts';
import { type S3Server, withS3Server } from '../../harness/s3-server.ts';
import { lacks, libfaketime } from '../../harness/tools.ts';
import { PROBE_KEY } from '../../src/mirror/kept/conditions.ts';
import {
  contentOfNumbered,
  type Got,
  md5OfNumbered,
  numberedObject,
  type NumberedObject,
  PlainClient,
  startNumberedOrigin,
} from '../mirror/many-objects.ts';

/** What it must stand is 10,000 and 20, which take minutes. */
const KEYS = Number(process.env['ISYNC_TEST_MIRROR_KEYS'] ?? 2_000);
const KILLS = Number(process.env['ISYNC_TEST_MIRROR_KILLS'] ?? 8);
const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20_261_126);
/** A machine that does other things as well takes 50 ms for each key. */
const TIMEOUT_MS = 600_000 + 150 * KEYS;
/** Requests at a time. */
const WIDTH = 24;
/** Larger than what is put by one request, where the completion of an upload may not heed a condition. */
const LARGE_BYTES = 1024 ** 3 + 64 * 1024 ** 2;

/** Sizes and MD5s of what is below `pre/`; none is put in parts. */
async function keptIn(
  { client }: S3Server,
  bucket: string,
): Promise<Map<string, { size: number; md5: string }>> {
  const kept = new Map<string, { size: number; md5: string }>();
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: 'pre/' }))
    for (const { Key = '', Size = -1, ETag = '' } of Contents)
      if (Key !== `pre/${PROBE_KEY}`)
        kept.set(Key.slice('pre/'.length), { size: Size, md5: ETag.replaceAll('"', '') });
  return kept;
}

await withS3Server((server) => {
  it(
    `${KEYS} keys come whole, and stay as they were, though their mirror is killed ${KILLS} times (seed ${SEED})`,
    { timeout: TIMEOUT_MS },
    async () => {
      const random = new Random(SEED);
      using origin = await startNumberedOrigin(KEYS);
      const bucket = await server.makeBucket();
      await using folder = await temporaryFolder('kills');
      const port = await freePort();
      const start = async (): Promise<MirrorServer> =>
        await startMirrorServer(server, {
          folder: folder.path,
          port,
          settings: {
            bucket: `s3://${bucket}/pre`,
            rules: [{ origins: [origin.url], allowPrivate: true, concurrency: WIDTH }],
          },
          args: ['--status', '127.0.0.1:0', '--log-level', 'warn'],
        });
      let mirror = await start();
      await using _ = { [Symbol.asyncDispose]: async () => await mirror[Symbol.asyncDispose]() };
      const objects = Array.from({ length: KEYS }, (_, index) => numberedObject(index));
      const byPath = new Map(objects.map((object) => [object.path, object]));
      const md5s = new Map(objects.map((object) => [object.path, md5OfNumbered(object)]));
      const wrong: string[] = [];
      let done = 0;
      let cut = 0;
      /** Resolves when there is a server again. */
      let up: Promise<unknown> = Promise.resolve();

      const pass = async (look: (object: NumberedObject, got: Got) => void): Promise<void> => {
        const order = random.some(objects, KEYS).values();
        await Promise.all(
          Array.from({ length: WIDTH }, async () => {
            using client = new PlainClient();
            for (const object of order) {
              const url = `http://127.0.0.1:${port}/${encodeURI(object.path)}`;
              for (;;) {
                await up;
                const got = await client.get(url).catch(() => undefined);
                if (got === undefined) {
                  cut += 1;
                  continue;
                }
                compare(object, got);
                look(object, got);
                break;
              }
              done += 1;
            }
          }),
        );
      };
      const compare = (object: NumberedObject, { status, headers, body }: Got): void => {
        if (status !== 200) wrong.push(`${status} for ${object.path}`);
        else if (!body.equals(contentOfNumbered(object))) wrong.push(`other bytes of ${object.path}`);
        const type = object.headers['content-type'] ?? 'image/png';
        if (headers['content-type'] !== type) wrong.push(`${headers['content-type']} of ${object.path}`);
        for (const name of ['content-encoding', 'content-disposition', 'cache-control', 'x-amz-meta-number'])
          if (headers[name] !== object.headers[name])
            wrong.push(`${name} ${String(headers[name])} of ${object.path}`);
      };
      /** All that is in the bucket is whole. Returns how much there is. */
      const lookIntoBucket = async (): Promise<number> => {
        const kept = await keptIn(server, bucket);
        for (const [path, { size, md5 }] of kept)
          if (size !== byPath.get(path)?.size || md5 !== md5s.get(path))
            wrong.push(`${size} bytes are kept of ${path}`);
        return kept.size;
      };
      const kill = async (): Promise<void> => {
        const back = Promise.withResolvers<void>();
        up = back.promise;
        await mirror.process.kill();
        await lookIntoBucket();
        mirror = await start();
        back.resolve();
      };

      const since = performance.now();
      const cold = pass(() => undefined);
      for (let kills = 1; kills <= KILLS; kills++) {
        const at = Math.floor((KEYS * kills) / (KILLS + 1)) + random.below(20);
        await until(`${at} keys`, () => done >= at || wrong.length > 0, 600_000);
        await kill();
      }
      await cold;
      const coldS = (performance.now() - since) / 1000;
      // What clients had got, and a kill kept from the bucket, comes once more.
      const askedCold = origin.asked.length;
      await pass(() => undefined);
      await mirrorSettled(mirror);
      const again = origin.asked.length - askedCold;
      expect(await lookIntoBucket()).toBe(KEYS);
      const askedBefore = origin.asked.length;
      await pass(({ path }, { headers }) => {
        if (headers['isync-mirror'] !== 'HIT') wrong.push(`${String(headers['isync-mirror'])} of ${path}`);
      });
      const seconds = (performance.now() - since) / 1000;
      console.log(
        `${KEYS} keys, ${KILLS} kills: ${Math.round(coldS)} s cold, ${Math.round(seconds)} s in all; ${cut} requests cut, ${askedCold} asked of the origin cold, ${again} once more`,
      );
      expect(wrong.slice(0, 20)).toEqual([]);
      expect(origin.asked.length).toBe(askedBefore);
      // Kills met requests, or they prove nothing.
      expect(cut).toBeGreaterThan(KILLS);
      for (const object of random.some(objects, 200)) {
        const head = await server.client.send(
          new HeadObjectCommand({ Bucket: bucket, Key: `pre/${object.path}` }),
        );
        expect(head.Metadata).toMatchObject({
          number: object.headers['x-amz-meta-number'],
          'isync-origin': `${origin.url}/${object.path.replaceAll(' ', '%20')}`,
          'isync-origin-etag': object.headers['etag'],
          'isync-origin-modified': new Date(object.headers['last-modified'] ?? '').toISOString(),
          'isync-size': String(object.size),
          'isync-md5': md5s.get(object.path),
        });
      }
      const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      expect(Uploads).toEqual([]);
      expect((await mirror.process.stop('SIGTERM')).exitCode).toBe(0);
    },
  );

  it.skipIf(lacks('faketime'))(
    'an upload of a killed mirror is gone after the first start more than an hour later',
    async () => {
      const piece = Buffer.alloc(1024 * 1024, 'isync');
      const origin = createServer((_, response) => {
        response.writeHead(200, { 'content-length': LARGE_BYTES });
        let left = LARGE_BYTES / piece.length;
        const more = (): void => {
          while (left-- > 0) if (!response.write(piece)) return;
          response.end();
        };
        response.on('drain', more).on('error', () => undefined);
        more();
      });
      origin.listen(0, '127.0.0.1');
      await once(origin, 'listening');
      onTestFinished(() => {
        origin.closeAllConnections();
        origin.close();
      });
      const { port } = origin.address() as AddressInfo;
      const bucket = await server.makeBucket();
      await using folder = await temporaryFolder('stale');
      const start = async (env: Readonly<Record<string, string>> = {}): Promise<MirrorServer> =>
        await startMirrorServer(server, {
          folder: folder.path,
          settings: {
            bucket: `s3://${bucket}/pre`,
            onMiss: 'redirect-origin',
            rules: [{ origins: [`http://127.0.0.1:${port}`], allowPrivate: true }],
          },
          env,
        });
      const uploads = async () =>
        (await server.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
      const parts = async (): Promise<number> => {
        const [upload] = await uploads();
        if (upload?.Key === undefined) return 0;
        const { Key, UploadId } = upload;
        const { Parts = [] } = await server.client.send(
          new ListPartsCommand({ Bucket: bucket, Key, UploadId }),
        );
        return Parts.length;
      };
      {
        await using mirror = await start();
        expect((await fetch(`${mirror.url}/film`, { redirect: 'manual' })).status).toBe(302);
        await mirror.process.until('some parts to be put', async () => (await parts()) >= 2);
        await mirror.process.kill();
      }
      // It may be another mirror's, which is at work.
      {
        await using mirror = await start();
        expect((await mirror.process.stop('SIGTERM')).exitCode).toBe(0);
      }
      expect(await uploads()).toMatchObject([{ Key: 'pre/film' }]);
      {
        // S3 sees another time, and says so: requests are signed by its clock.
        const clock = { LD_PRELOAD: libfaketime() ?? '', FAKETIME: '+2h', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
        await using mirror = await start(clock);
        await mirror.process.until('the upload to be removed', async () => (await uploads()).length === 0);
        await mirror.process.until('that to be told', () => mirror.process.stderr.includes('were removed'));
        expect((await mirror.process.stop('SIGTERM')).exitCode).toBe(0);
      }
      const { size } = await keptIn(server, bucket);
      expect(size).toBe(0);
    },
  );
});
