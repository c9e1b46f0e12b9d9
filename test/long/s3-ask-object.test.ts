import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import type { S3Access } from '../../src/s3/access.ts';
import { type AskedObject, type AskHeaders, ObjectAsker } from '../../src/s3/ask-object.ts';
import { ReadPlaces } from '../../src/s3/read-places.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const NEVER = new AbortController().signal;

async function textOf({ body }: AskedObject): Promise<string | undefined> {
  if (body === undefined) return undefined;
  return body instanceof Uint8Array ? Buffer.from(body).toString() : (await buffer(body)).toString();
}

await withS3Server((server) => {
  const { endpoint, credentials } = server;

  const askerOf = (
    access: Pick<S3Access, 'bucket'> & Partial<S3Access>,
    reads?: number,
    answerMs?: number,
    places?: ReadPlaces,
  ): ObjectAsker => {
    const more = { ...(answerMs !== undefined && { answerMs }), ...(places !== undefined && { places }) };
    const asker = new ObjectAsker({ endpoint, credentials, ...access }, reads, more);
    onTestFinished(() => asker[Symbol.dispose]());
    return asker;
  };
  const put = async (Bucket: string, Key: string, Body: string | Buffer) =>
    await server.client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { a: 'b' } }));

  it('tells its status, headers and bytes, and goes by conditions and ranges', async () => {
    await using front = await startS3Front(endpoint);
    const bucket = await server.makeBucket();
    const asker = askerOf({ bucket, endpoint: front.endpoint });
    let bySdk = 0;
    front.refuse = ({ headers }) => {
      if ('amz-sdk-invocation-id' in headers) bySdk += 1;
      return undefined;
    };
    const key = "a b/ä+(1)*!'?#%2F";
    await put(bucket, key, '0123456789');
    const ask = async (method: 'GET' | 'HEAD', headers: AskHeaders, name = key) =>
      await asker.ask(method, name, headers, NEVER);
    const whole = await ask('GET', {});
    expect([whole.status, await textOf(whole)]).toEqual([200, '0123456789']);
    const { etag, 'last-modified': modified } = whole.headers;
    expect(whole.headers).toMatchObject({ 'content-length': '10', 'x-amz-meta-a': 'b' });
    const statuses = await Promise.all(
      [
        ask('HEAD', {}),
        ask('GET', { range: 'bytes=1-2' }),
        ask('GET', { range: 'bytes=10-' }),
        ask('GET', { 'if-none-match': etag }),
        ask('HEAD', { 'if-none-match': etag }),
        ask('GET', { 'if-modified-since': modified }),
        ask('GET', { 'if-match': '"x"' }),
        ask('HEAD', { 'if-match': '"x"' }),
        ask('GET', {}, 'none'),
        ask('HEAD', {}, 'none'),
      ].map(async (answer) => [(await answer).status, await textOf(await answer)]),
    );
    expect(statuses).toEqual([
      [200, undefined],
      [206, '12'],
      [416, undefined],
      [304, expect.toBeOneOf([undefined, ''])],
      [304, undefined],
      [304, expect.toBeOneOf([undefined, ''])],
      [412, undefined],
      [412, undefined],
      [404, undefined],
      [404, undefined],
    ]);
    expect(bySdk).toBe(0);
  });

  it('is the same by the SDK, which is asked where the server refuses what we sign', async () => {
    await using front = await startS3Front(endpoint);
    const bucket = await server.makeBucket();
    await put(bucket, 'k', '0123456789');
    const asker = askerOf({ bucket, endpoint: front.endpoint });
    let own = 0;
    front.refuse = ({ headers }) =>
      'amz-sdk-invocation-id' in headers || ++own === 0
        ? undefined
        : { status: 403, code: 'SignatureDoesNotMatch' };
    const ask = async (method: 'GET' | 'HEAD', headers: AskHeaders, name = 'k') =>
      await asker.ask(method, name, headers, NEVER);
    const whole = await ask('GET', {});
    const { etag = '', 'last-modified': modified } = whole.headers;
    expect(await textOf(whole)).toBe('0123456789');
    expect(whole.headers).toMatchObject({ 'content-length': '10', 'x-amz-meta-a': 'b' });
    expect(new Date(modified ?? '').toUTCString()).toBe(modified);
    const part = await ask('GET', { range: 'bytes=1-2' });
    expect([part.status, part.headers['content-range'], await textOf(part)]).toEqual([
      206,
      'bytes 1-2/10',
      '12',
    ]);
    const statuses: number[] = [];
    for (const [method, headers, name] of [
      ['HEAD', {}],
      ['GET', { range: 'bytes=10-' }],
      ['GET', { 'if-none-match': etag }],
      ['GET', { 'if-modified-since': modified }],
      ['GET', { 'if-unmodified-since': 'Tue, 06 May 2014 07:08:09 GMT' }],
      ['GET', { 'if-match': '"x"' }],
      ['GET', {}, 'none'],
      ['HEAD', {}, 'none'],
    ] as const)
      statuses.push((await ask(method, headers, name)).status);
    expect(statuses).toEqual([200, 416, 304, 304, 412, 412, 404, 404]);
    // After eight in vain nobody tries for a while.
    expect(own).toBe(8);
  });

  it('of a bucket that is not there is no missing object', async () => {
    const asker = askerOf({ bucket: 'isync-there-is-none' });
    await expect(asker.ask('GET', 'k', {}, NEVER)).rejects.toMatchObject({ code: 'STORE_MISSING' });
  });

  it('and the server does not answer is UNREACHABLE; where nobody waits, the reason of the signal', async () => {
    await using front = await startS3Front(endpoint);
    const bucket = await server.makeBucket();
    const asker = askerOf({ bucket, endpoint: front.endpoint });
    front.cutAnswer = () => true;
    await expect(asker.ask('GET', 'k', {}, NEVER)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    front.cutAnswer = undefined;
    const stop = new AbortController();
    const reason = new Error('no longer wanted');
    front.before = async () => stop.abort(reason);
    await expect(asker.ask('GET', 'k', {}, stop.signal)).rejects.toBe(reason);
  });

  it('that is long waits for its reader, comes whole, and frees its place once it is left', async () => {
    const bucket = await server.makeBucket();
    const bytes = randomBytes(5_000_000);
    await put(bucket, 'k', bytes);
    const asker = askerOf({ bucket }, 1);
    for (let i = 0; i < 3; i++) {
      const left = await asker.ask('GET', 'k', {}, NEVER);
      if (left.body === undefined || left.body instanceof Uint8Array) throw new Error('no stream');
      const pieces = left.body[Symbol.asyncIterator]();
      if (i > 0) await pieces.next();
      await pieces.return?.();
    }
    const stop = new AbortController();
    const stopped = await asker.ask('GET', 'k', {}, stop.signal);
    stop.abort();
    await expect(textOf(stopped)).rejects.toThrow('no longer wanted');
    const { body } = await asker.ask('GET', 'k', {}, NEVER);
    if (body === undefined || body instanceof Uint8Array) throw new Error('no stream');
    expect((await buffer(body)).equals(bytes)).toBe(true);
  });

  it('gets the place of one that is read too slowly, which is cut', async () => {
    const bucket = await server.makeBucket();
    const bytes = randomBytes(5_000_000);
    await put(bucket, 'k', bytes);
    const asker = askerOf({ bucket }, 1, undefined, new ReadPlaces(1, { graceMs: 100 }));
    for (let i = 0; i < 3; i++) {
      const { body } = await asker.ask('GET', 'k', {}, NEVER);
      if (body === undefined || body instanceof Uint8Array) throw new Error('no stream');
      const pieces = body[Symbol.asyncIterator]();
      for (let read = 0; read < i; read++) await pieces.next();
      const other = await asker.ask('GET', 'k', {}, NEVER);
      await expect(pieces.next()).rejects.toMatchObject({ code: 'BUSY' });
      if (other.body === undefined || other.body instanceof Uint8Array) throw new Error('no stream');
      expect((await buffer(other.body)).equals(bytes)).toBe(true);
    }
  });

  it('gives up a server that takes requests and never answers', async () => {
    await using front = await startS3Front(endpoint);
    front.ignore = () => true;
    const asker = askerOf({ bucket: 'isync-any', endpoint: front.endpoint }, 1, 300);
    for (const method of ['GET', 'HEAD'] as const)
      await expect(asker.ask(method, 'k', {}, NEVER)).rejects.toMatchObject({
        code: 'UNREACHABLE',
        retryable: true,
        path: 'k',
        message: expect.stringContaining('within 300 ms'),
      });
  });

  it('reads a body for longer than an answer may take to begin', async () => {
    await using front = await startS3Front(endpoint);
    const bucket = await server.makeBucket();
    const bytes = randomBytes(1_000_000);
    await put(bucket, 'k', bytes);
    const answerMs = 3_000;
    front.holdBody = () => delay(answerMs + 200);
    for (const isSdk of [false, true]) {
      const refusal = { status: 403, code: 'SignatureDoesNotMatch' };
      front.refuse = ({ headers }) => (isSdk && !('amz-sdk-invocation-id' in headers) ? refusal : undefined);
      const asker = askerOf({ bucket, endpoint: front.endpoint }, 1, answerMs);
      const { body } = await asker.ask('GET', 'k', {}, NEVER);
      if (body === undefined || body instanceof Uint8Array) throw new Error('no stream');
      expect((await buffer(body)).equals(bytes)).toBe(true);
    }
  });
});
