import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { createS3Client } from '../../src/s3/client.ts';
import { putOnCondition } from '../../src/s3/conditional-put.ts';
import { copyPresent } from '../../src/s3/copy.ts';
import { lookAtObject } from '../../src/s3/look.ts';
import { putObject, putObjectIfAbsent } from '../../src/s3/objects.ts';
import { quickCopy } from '../../src/s3/quick/copy.ts';
import { quickGet } from '../../src/s3/quick/get.ts';
import { quickPut } from '../../src/s3/quick/put.ts';
import { Bucket } from '../../src/s3/requests.ts';

const KEYS = ['k', 'a//b', 'two words', 'a+b', 'a%2Fb', 'ä/😀', "it's (1)*!", '../up', 'a?b#c&d=e'];
const BYTES = Buffer.from('bytes');
const ETAG = createHash('md5').update(BYTES).digest('hex');
const BODY = { bytes: BYTES, md5: createHash('md5').update(BYTES).digest('base64') };
const ATTRIBUTES = {
  headers: {
    contentType: 'text/x-test',
    contentEncoding: 'identity',
    contentLanguage: 'sah',
    contentDisposition: 'inline; filename="a  b"',
    cacheControl: 'max-age=7',
    expires: new Date('2031-05-06T07:08:09Z'),
  },
  metadata: { mtime: '1.5', 'Two-Words': ' a  b ' },
  tags: { a: '1', b: 'x y' },
};
const PORTAL = { status: 200, code: '', body: '<html>Welcome</html>' };

await withS3Server((server) => {
  const start = async () => {
    const name = await server.makeBucket();
    const front = await startS3Front(server.endpoint);
    const access = { bucket: name, endpoint: front.endpoint, credentials: server.credentials };
    const client = createS3Client(access, 4);
    const bucket = new Bucket(access, { client });
    onTestFinished(async () => {
      client.destroy();
      await front[Symbol.asyncDispose]();
    });
    const put = { bucket: name, ...BODY, attributes: {}, ifAbsent: false };
    const head = async (Key: string) =>
      await server.client.send(new HeadObjectCommand({ Bucket: name, Key }));
    const copyOf = (source: string) => ({
      bucket: name,
      settings: {},
      headers: { 'x-amz-copy-source': `${name}/${source}` },
    });
    return { name, front, client, bucket, put, head, copyOf };
  };

  it.each(KEYS)('puts, gets and copies as the SDK does: %s', async (key) => {
    const { name, client, put, head, copyOf } = await start();
    const { tags, ...attributes } = ATTRIBUTES;
    expect(await quickPut(client, { ...put, key, attributes: ATTRIBUTES }, undefined)).toEqual({
      etag: ETAG,
    });
    await server.client.send(
      new PutObjectCommand({
        Bucket: name,
        Key: `sdk/${key}`,
        Body: BYTES,
        ContentType: attributes.headers.contentType,
        ContentEncoding: attributes.headers.contentEncoding,
        ContentLanguage: attributes.headers.contentLanguage,
        ContentDisposition: attributes.headers.contentDisposition,
        CacheControl: attributes.headers.cacheControl,
        Expires: attributes.headers.expires,
        Metadata: attributes.metadata,
      }),
    );
    const comparable = async (at: string) => {
      const { $metadata: _, LastModified: __, TagCount: ___, ...rest } = await head(at);
      return rest;
    };
    expect(await comparable(key)).toEqual(await comparable(`sdk/${key}`));
    const { TagSet } = await server.client.send(new GetObjectTaggingCommand({ Bucket: name, Key: key }));
    expect(Object.fromEntries((TagSet ?? []).map(({ Key = '', Value }) => [Key, Value]))).toEqual(tags);

    const got = await quickGet(client, { bucket: name, key }, {}, undefined);
    if (typeof got !== 'object' || !(got.Body instanceof Readable)) throw new Error('no bytes');
    expect(await text(got.Body)).toBe('bytes');
    const { $metadata: _, Body: __, ...facts } = got;
    const told = await server.client.send(new GetObjectCommand({ Bucket: name, Key: key }));
    await told.Body?.transformToString();
    expect({ ...told, ...facts }).toEqual(told);
    const whole = await quickGet(client, { bucket: name, key }, {}, undefined, { whole: 5, most: 9 });
    if (typeof whole !== 'object') throw new Error('no answer');
    const { $metadata: ___, Body, ...same } = whole;
    expect(Body).toEqual(BYTES);
    expect(same).toEqual(facts);

    const source = key.split('/').map(encodeURIComponent).join('/');
    expect(await quickCopy(client, { ...copyOf(source), key: `copy/${key}` }, undefined)).toEqual({
      ETag: ETAG,
      LastModified: expect.any(Date),
    });
    expect(await comparable(`copy/${key}`)).toEqual(await comparable(key));
  });

  it('a key in use is told, and kept', async () => {
    const { client, bucket, put, head } = await start();
    await putObject(bucket, 'k', { bytes: Buffer.alloc(0), md5: '1B2M2Y8AsgTpgAmY7PhCfg==' });
    expect(await quickPut(client, { ...put, key: 'k', ifAbsent: true }, undefined)).toBe('in use');
    expect((await head('k')).ContentLength).toBe(0);
    expect(await quickPut(client, { ...put, key: 'l', ifAbsent: true }, undefined)).toEqual({ etag: ETAG });
  });

  it('puts on the condition that a key is free, and leaves other conditions to the SDK', async () => {
    const { bucket, front, head } = await start();
    let bySdk = 0;
    front.refuse = ({ headers }) => {
      if ('amz-sdk-invocation-id' in headers) bySdk += 1;
      return undefined;
    };
    const put = async (key: string, condition: Parameters<typeof putOnCondition>[3], isQuick = true) =>
      await putOnCondition(bucket, key, BODY, condition, ATTRIBUTES, { isQuick });
    const absent = { kind: 'absent' } as const;
    expect(await put('k', absent)).toEqual({ etag: ETAG });
    expect(await put('k', absent)).toBe('refused');
    expect(await put('k', undefined)).toEqual({ etag: ETAG });
    expect(bySdk).toBe(0);
    expect((await head('k')).Metadata).toEqual({ mtime: '1.5', 'two-words': 'a  b' });
    expect(await put('k', { kind: 'etag', etag: 'another', isBare: true })).toBe('refused');
    expect(await put('l', absent, false)).toEqual({ etag: ETAG });
    expect(bySdk).toBe(2);
    // What is no plain answer is told in the words of the SDK.
    front.refuse = () => ({ status: 409, code: 'ConditionalRequestConflict' });
    expect(await put('m', absent)).toBe('conflict');
    front.refuse = () => ({ status: 501, code: 'NotImplemented' });
    expect(await put('m', absent)).toBe('unsupported');
  });

  it.each([
    ['bytes that are others on their way', { md5: '1B2M2Y8AsgTpgAmY7PhCfg==' }],
    ['what would be signed otherwise than it is sent', { attributes: { metadata: { a: 'é' } } }],
  ])('leaves to the SDK: %s', async (_, more) => {
    const { name, client, put } = await start();
    expect(await quickPut(client, { ...put, key: 'k', ...more }, undefined)).toBeUndefined();
    await expect(server.client.send(new HeadObjectCommand({ Bucket: name, Key: 'k' }))).rejects.toMatchObject(
      { name: 'NotFound' },
    );
  });

  it('leaves to the SDK what has a checksum to compare', async () => {
    const { name, client, bucket, front } = await start();
    await putObject(bucket, 'k', BODY);
    front.moreHeaders = () => ({ 'x-amz-checksum-crc32': 'AAAAAA==' });
    expect(await quickGet(client, { bucket: name, key: 'k' }, {}, undefined)).toBeUndefined();
    const object = await lookAtObject(bucket, 'k', { isQuick: true });
    if (object === 'same') throw new Error('no condition was given');
    await expect(text(object.bytes)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('asks for an object that is not the one that is here already, without the SDK', async () => {
    const { bucket, front } = await start();
    await putObject(bucket, 'k', BODY);
    const agents: (string | undefined)[] = [];
    front.refuse = ({ headers }) => {
      agents.push(headers['user-agent']);
      return undefined;
    };
    expect(await lookAtObject(bucket, 'k', { isQuick: true, ifNoneMatch: ETAG })).toBe('same');
    const other = await lookAtObject(bucket, 'k', { isQuick: true, ifNoneMatch: '0'.repeat(32) });
    if (other === 'same') throw new Error('it is another one');
    expect(await text(other.bytes)).toBe('bytes');
    expect(agents).toEqual([undefined, undefined]);
  });

  it('takes what is small at once, what is larger as it comes, and nothing of what is read in ranges', async () => {
    const { client, bucket, front, name } = await start();
    const empty = { bytes: Buffer.alloc(0), md5: '1B2M2Y8AsgTpgAmY7PhCfg==' };
    await putObject(bucket, 'k', BODY);
    await putObject(bucket, 'empty', empty);
    const agents: (string | undefined)[] = [];
    front.refuse = ({ headers }) => {
      agents.push(headers['user-agent']);
      return undefined;
    };
    const get = async (whole: number, most: number, key = 'k', headers = {}) =>
      await quickGet(client, { bucket: name, key }, headers, undefined, { whole, most });
    expect(await get(5, 9)).toMatchObject({ ContentLength: 5, Body: BYTES });
    expect(await get(5, 9, 'empty')).toMatchObject({ ContentLength: 0, Body: empty.bytes });
    expect(await get(5, 9, 'k', { 'if-none-match': `"${ETAG}"` })).toBe('same');
    const streamed = await get(4, 5);
    if (typeof streamed !== 'object' || !(streamed.Body instanceof Readable)) throw new Error('no stream');
    expect(await text(streamed.Body)).toBe('bytes');
    const left = await get(3, 4);
    expect(left).toMatchObject({ ContentLength: 5, ETag: `"${ETAG}"` });
    expect(left).not.toHaveProperty('Body');
    expect(await get(5, 9, 'none')).toBeUndefined();
    expect(agents.every((agent) => agent === undefined)).toBe(true);
    expect(agents).toHaveLength(7);
  });

  it('of an object that is read in ranges gives no bytes, lest they pass for all', async () => {
    const { bucket } = await start();
    await putObject(bucket, 'k', BODY);
    const options = { isQuick: true, sizes: { whole: 3, most: 4 } };
    const object = await lookAtObject(bucket, 'k', options);
    if (object === 'same') throw new Error('no condition was given');
    expect(object).toMatchObject({ size: 5, etag: ETAG });
    await expect(text(object.bytes)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('leaves to the SDK a copy that fails, also after a status that says that it has not', async () => {
    const { client, bucket, front, copyOf } = await start();
    await putObject(bucket, 'k', BODY);
    const copy = async (source: string) =>
      await quickCopy(client, { ...copyOf(source), key: 'copy' }, undefined);
    expect(await copy('none')).toBeUndefined();
    const changed = { status: 412, code: 'PreconditionFailed' };
    for (const refusal of [changed, { status: 200, code: 'InternalError' }, PORTAL]) {
      front.refuse = () => refusal;
      expect(await copy('k')).toBeUndefined();
    }
    front.refuse = undefined;
    expect(await copy('k')).toMatchObject({ ETag: ETAG });
  });

  it('learns nothing from requests that were given up', async () => {
    const { client, put } = await start();
    for (let count = 0; count < 10; count++)
      expect(await quickPut(client, { ...put, key: 'k' }, AbortSignal.abort())).toBeUndefined();
    expect(await quickPut(client, { ...put, key: 'k' }, undefined)).toEqual({ etag: ETAG });
  });

  it('has the SDK do what failed, in the words of its errors, and is not asked for a while where it is of no use', async () => {
    const { bucket, front } = await start();
    const asked = (): number => front.asked.length;
    const isQuick = true;
    const [from, to] = [
      { bucket, key: 'none' },
      { bucket, key: 'copy' },
    ];
    for (let i = 0; i < 9; i++) expect(await copyPresent(from, to, { isQuick })).toBeUndefined();
    const before = asked();
    await copyPresent(from, to, { isQuick });
    expect(asked()).toBe(before + 1);
    // Others are.
    expect(await putObject(bucket, 'k', BODY, {}, { isQuick })).toEqual({ etag: ETAG });
    expect(asked()).toBe(before + 2);
    // Half a minute later it may be.
    const laterMs = performance.now() + 31_000;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => laterMs);
    await copyPresent(from, to, { isQuick });
    clock.mockRestore();
    expect(asked()).toBe(before + 4);
    front.refuse = () => ({ status: 403, code: 'QuotaExceeded' });
    await expect(putObjectIfAbsent(bucket, 'k', BODY, {}, { isQuick })).rejects.toMatchObject({
      code: 'STORE_FULL',
    });
  });
});
