import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { type RangeOptions, readRange } from '../../src/s3/look.ts';
import { putObject } from '../../src/s3/objects.ts';
import type { Bucket } from '../../src/s3/requests.ts';
import { bodyOf, bucketAt } from '../s3/buckets.ts';

const KEYS = ['k', 'a//b', 'two words', 'a+b', 'a%2Fb', 'ä/😀', "it's (1)*!", '../up', 'a?b#c&d=e'];
const SIZE = 3 * 1024 * 1024;
const CONTENT = randomBytes(SIZE);
const ETAG = createHash('md5').update(CONTENT).digest('hex');

await withS3Server((server) => {
  const start = async (tls?: { readonly cert: string; readonly key: string }) => {
    const front = await startS3Front(server.endpoint, tls);
    onTestFinished(() => front[Symbol.asyncDispose]());
    const access = { bucket: await server.makeBucket(), endpoint: front.endpoint, ca: tls?.cert };
    const bucket = bucketAt(server, access);
    await putObject(bucket, 'k', bodyOf(CONTENT));
    return { front, bucket };
  };

  it.each(KEYS)('bytes of an object come past the SDK: %s', async (key) => {
    const { bucket } = await start();
    await putObject(bucket, key, bodyOf(CONTENT));
    expect(await wrongRanges(bucket, key)).toEqual([]);
  });

  it('also over TLS, from a server that is trusted', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'isync-s3-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const args =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=s3 -addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'ignore' });
    const [cert = '', key = ''] = ['cert.pem', 'key.pem'].map((name) =>
      readFileSync(join(folder, name), 'utf8'),
    );
    const { bucket, front } = await start({ cert, key });
    expect(await wrongRanges(bucket, 'k')).toEqual([]);
    const untrusting = bucketAt(server, { bucket: bucket.name, endpoint: front.endpoint });
    await expect(read(untrusting, { end: 10 })).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  it('another version is noticed, also by a server that heeds no condition', async () => {
    const { bucket } = await start();
    const changed = { code: 'FILE_CHANGED', retryable: true };
    await expect(read(bucket, { ifMatch: 'another' })).rejects.toMatchObject(changed);
    const other = bucketAt(server, { bucket: bucket.name, endpoint: await startCareless() });
    expect(await read(other, { end: 5 })).toEqual(CONTENT.subarray(0, 5));
    await expect(read(other, { ifMatch: 'another' })).rejects.toMatchObject(changed);
  });

  it('the SDK asks where the answer is not the plain one, and tells what is wrong', async () => {
    const { bucket, front } = await start();
    let left = 1;
    front.refuse = () => (left-- > 0 ? { status: 503, code: 'SlowDown' } : undefined);
    expect(await read(bucket)).toEqual(CONTENT);
    front.refuse = () => ({ status: 403, code: 'AccessDenied' });
    await expect(read(bucket)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    front.refuse = () => ({ status: 200, code: '', body: '<html>Welcome</html>' });
    await expect(read(bucket)).rejects.toMatchObject({ retryable: true });
    front.refuse = undefined;
    expect(await read(bucket)).toEqual(CONTENT);
    await expect(read(bucket, {}, 'none')).rejects.toMatchObject({ cause: { name: 'NoSuchKey' } });
  });

  it('asks no more where that is of no use', async () => {
    const { bucket, front } = await start();
    front.moreHeaders = () => ({ 'content-range': 'strange' });
    for (let i = 0; i < 8; i++) await read(bucket);
    const before = front.asked.length;
    await read(bucket);
    expect(front.asked.length).toBe(before + 1);
  });

  it('an answer that is cut rejects, and so does one that is not wanted any more', async () => {
    const { bucket, front } = await start();
    front.cutBody = () => 100_000;
    await expect(read(bucket)).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
    front.cutBody = undefined;
    const { signal, reason } = stoppedBy(front);
    await expect(read(bucket, { signal })).rejects.toBe(reason);
  });

  it('ends with the bucket', async () => {
    const { bucket, front } = await start();
    front.holdBody = async () => {
      bucket[Symbol.dispose]();
      await new Promise(() => {});
    };
    await expect(read(bucket)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

/** Ranges that are not those of the content, or for which the SDK was asked. */
async function wrongRanges(bucket: Bucket, key: string): Promise<unknown[]> {
  const wrong: unknown[] = [];
  const ranges = [
    [0, SIZE],
    [0, 1],
    [1_000_000, 2_000_001],
    [SIZE - 1, SIZE],
  ] as const;
  await Promise.all(
    ranges.map(async ([start, end]) => {
      const into = Buffer.alloc(end - start + 1);
      const options = { ifMatch: ETAG, start, end };
      await readRange(bucket, key, into, options, () => void wrong.push(['SDK', start, end]));
      const expected = Buffer.concat([CONTENT.subarray(start, end), Buffer.alloc(1)]);
      if (!into.equals(expected)) wrong.push([start, end]);
    }),
  );
  return wrong;
}

async function read(bucket: Bucket, options: Partial<RangeOptions> = {}, key = 'k'): Promise<Buffer> {
  const all = { ifMatch: ETAG, start: 0, end: SIZE, ...options };
  const into = Buffer.alloc(all.end - all.start);
  await readRange(bucket, key, into, all);
  return into;
}

/** A server that gives what is asked for, whatever the condition. */
async function startCareless(): Promise<string> {
  const careless = createServer(({ headers }, response) => {
    const [start = 0, last = 0] = (headers.range ?? '').replace('bytes=', '').split('-').map(Number);
    response.writeHead(206, {
      etag: `"${ETAG}"`,
      'content-length': last + 1 - start,
      'content-range': `bytes ${start}-${last}/${SIZE}`,
    });
    response.end(CONTENT.subarray(start, last + 1));
  });
  careless.listen(0, '127.0.0.1');
  await once(careless, 'listening');
  onTestFinished(() => {
    careless.closeAllConnections();
    careless.close();
  });
  return `http://127.0.0.1:${(careless.address() as AddressInfo).port}`;
}

/** Fires once an answer has begun. */
function stoppedBy(front: S3Front) {
  const stop = new AbortController();
  const reason = new Error('stopped');
  front.holdBody = async () => {
    stop.abort(reason);
    await new Promise(() => {});
  };
  return { signal: stop.signal, reason };
}
