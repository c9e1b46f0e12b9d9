import type { IncomingHttpHeaders } from 'node:http';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { JobTarget } from '../../src/backup/job.ts';
import { openTarget } from '../../src/backup/target/open-target.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import { attempting } from '../../src/backup/upload/attempts.ts';
import { type Refusal, type S3Front, SLOW_DOWN, startS3Front } from '../../harness/s3-front.ts';
import { RecordingLog } from '../recording-log.ts';

/** Every request is answered by the front, so nothing is behind it. */
const NOBODY = 'http://127.0.0.1:9';
const BEGUN: Refusal = {
  status: 200,
  code: '',
  body: '<?xml version="1.0"?><InitiateMultipartUploadResult><UploadId>upload-1</UploadId></InitiateMultipartUploadResult>',
};
const KEPT: Refusal = { status: 200, code: '', body: '', headers: { etag: '"e"' } };
const ATTRIBUTES = { partBytes: 5 * 1024 * 1024, tags: { env: 'production' }, metadata: { job: 'app' } };

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

let front: S3Front;
let asked: Asked[];
let answers: (asked: Asked, before: number) => Refusal;
beforeEach(async () => {
  front = await startS3Front(NOBODY);
  asked = [];
  front.refuse = ({ method = '', url = '', headers }) => {
    const request = { method, url, headers };
    asked.push(request);
    return answers(request, asked.length - 1);
  };
  return async () => await front[Symbol.asyncDispose]();
});

function open(settings: Partial<Extract<JobTarget, { readonly kind: 's3' }>> = {}): BackupTarget {
  const target = openTarget(
    {
      kind: 's3',
      bucket: 'bucket',
      prefix: '',
      endpoints: [front.endpoint],
      region: undefined,
      pathStyle: undefined,
      profile: undefined,
      credentials: { accessKeyId: 'key', secretAccessKey: 'secret', sessionToken: undefined },
      ca: undefined,
      storageClass: undefined,
      sse: undefined,
      sseKmsKeyId: undefined,
      lock: undefined,
      ...settings,
    },
    'app',
  );
  onTestFinished(async () => await target[Symbol.asyncDispose]());
  return target;
}

const part = { number: 1, bytes: Buffer.from('content'), md5: 'mgNkuembtIDdJeHwKEyFVQ==' };

describe('requests of a bucket as a target', () => {
  it('ask for a storage class and tags for archives alone, and for encryption for all', async () => {
    answers = ({ url }) => (url.includes('uploads') ? BEGUN : KEPT);
    const sseKmsKeyId = 'arn:aws:kms:eu-west-1:1:key/k';
    const target = open({ storageClass: 'STANDARD_IA', sse: 'aws:kms', sseKmsKeyId });
    const id = await target.begin('archive', ATTRIBUTES);
    await target.putPart({ key: 'archive', id }, part);
    await target.put('manifest', Buffer.from('{}'));
    const [begin, put, manifest] = asked.map(({ headers }) => headers);
    const encryption = {
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': sseKmsKeyId,
    };
    expect(begin).toMatchObject({
      ...encryption,
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-tagging': 'env=production',
      'x-amz-meta-job': 'app',
    });
    expect(put).toMatchObject({ 'content-md5': part.md5 });
    expect(put).not.toHaveProperty('x-amz-server-side-encryption');
    expect(manifest).toMatchObject(encryption);
    for (const name of ['x-amz-storage-class', 'x-amz-tagging']) expect(manifest).not.toHaveProperty(name);
  });

  it('ask for no encryption and no class that nobody has set', async () => {
    answers = () => BEGUN;
    await open().begin('archive', { ...ATTRIBUTES, tags: {} });
    const names = Object.keys(asked[0]!.headers).filter((name) => name.startsWith('x-amz-'));
    expect(names.filter((name) => /storage|encryption|tagging/.test(name))).toEqual([]);
  });

  it.each([
    { code: 'InvalidStorageClass', status: 400 },
    { code: 'KMS.NotFoundException', status: 400 },
  ])('tell what the bucket says of $code', async ({ code, status }) => {
    answers = () => ({ status, code, message: 'not this one' });
    const target = open({ storageClass: 'STANDARD_IA', sse: 'aws:kms' });
    await expect(target.begin('archive', ATTRIBUTES)).rejects.toThrow(code);
  });

  it('are one try each, which another one follows only where it is told', async () => {
    answers = () => SLOW_DOWN;
    const target = open();
    const upload = { key: 'archive', id: 'upload-1' };
    const calls = [
      () => target.head('a'),
      () => target.put('a', Buffer.from('one')),
      () => target.begin('archive', ATTRIBUTES),
      () => target.putPart(upload, part),
      () => target.complete(upload, ['e'], 7),
      () => target.abort(upload),
      () => target.list()[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) {
      asked = [];
      await expect(call()).rejects.toMatchObject({ code: 'BUSY', retryable: true });
      expect(asked).toHaveLength(1);
    }
    asked = [];
    answers = (_, before) => (before < 2 ? SLOW_DOWN : KEPT);
    const log = new RecordingLog();
    expect(await attempting('put part 1', () => target.putPart(upload, part), { log })).toBe('e');
    expect(asked).toHaveLength(3);
    expect(log.at('warn')).toHaveLength(2);
  });

  it('that remove what was listed look up versions until the bucket has told of none', async () => {
    const gone: Refusal = { status: 204, code: '', body: '' };
    answers = ({ method }) => (method === 'DELETE' ? gone : KEPT);
    const target = open();
    expect(await target.remove('a', { isListed: true })).toBe('removed');
    expect(await target.remove('b', { isListed: true })).toBe('removed');
    expect(await target.remove('c')).toBe('removed');
    expect(asked.map(({ method }) => method)).toEqual(['HEAD', 'DELETE', 'DELETE', 'HEAD', 'DELETE']);
  });

  it('that remove leave no version behind in a bucket that has been given versions meanwhile', async () => {
    const gone: Refusal = { status: 204, code: '', body: '' };
    answers = ({ method }) => (method === 'DELETE' ? gone : KEPT);
    const target = open();
    await target.remove('a', { isListed: true });
    asked = [];
    const marker = { ...gone, headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'marker' } };
    const told = [marker, gone, { ...KEPT, headers: { 'x-amz-version-id': 'first' } }, gone];
    answers = (_, before) => told[before] ?? { status: 404, code: '' };
    expect(await target.remove('b', { isListed: true })).toBe('removed');
    expect(asked.map(({ method, url }) => method + (/versionId=\w+/.exec(url)?.[0] ?? ''))).toEqual([
      'DELETE',
      'DELETEversionId=marker',
      'HEAD',
      'DELETEversionId=first',
      'HEAD',
    ]);
  });

  it('that remove leave no object behind whose version a bucket with versions does not tell', async () => {
    const gone: Refusal = { status: 204, code: '', body: '' };
    const marker = { ...gone, headers: { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'marker' } };
    const told = [KEPT, marker, gone, KEPT, gone];
    answers = (_, before) => told[before] ?? { status: 404, code: '' };
    expect(await open().remove('a')).toBe('removed');
    expect(asked.map(({ method, url }) => method + (/versionId=\w+/.exec(url)?.[0] ?? ''))).toEqual([
      'HEAD',
      'DELETE',
      'DELETEversionId=marker',
      'HEAD',
      'DELETEversionId=null',
      'HEAD',
    ]);
  });

  it.each([
    ['has none', { status: 404, code: 'NoSuchObjectLockConfiguration' }],
    [
      'has a shorter one',
      {
        status: 200,
        code: '',
        body: '<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2025-04-05T12:00:00Z</RetainUntilDate></Retention>',
      },
    ],
  ] as const)('that lock fail where the bucket takes the lock and %s', async (_, kept) => {
    answers = ({ method }) => (method === 'PUT' ? KEPT : kept);
    const target = open({ lock: { mode: 'governance', days: 30 } });
    const locked = target.lock('archive', 'governance', Date.parse('2025-05-05T12:00:00Z'), { isNew: true });
    await expect(locked).rejects.toMatchObject({ code: 'STORE_FAILED', path: 'archive', retryable: false });
    expect(asked.map(({ method }) => method)).toEqual(['PUT', 'GET']);
  });

  it('are signed by the time of the server once it has refused ours', async () => {
    const aheadMs = 3 * 3_600_000;
    const server = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: server + aheadMs });
    onTestFinished(() => void vi.useRealTimers());
    const headers = { date: new Date(server).toUTCString() };
    answers = (_, before) =>
      before === 0
        ? { status: 403, code: 'RequestTimeTooSkewed', headers }
        : { ...KEPT, headers: { ...KEPT.headers, ...headers } };
    const target = open();
    const log = new RecordingLog();
    await attempting('put a', () => target.put('a', Buffer.from('one')), { log });
    const times = asked.map(({ headers: { 'x-amz-date': text } }) => signedMs(String(text)));
    expect(Math.abs(times[0]! - server - aheadMs)).toBeLessThan(60_000);
    expect(Math.abs(times[1]! - server)).toBeLessThan(60_000);
    expect(target.clockAheadMs! / aheadMs).toBeCloseTo(1, 1);
    expect(log.at('warn')).toHaveLength(1);
  });
});

/** `20250405T120000Z` */
function signedMs(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
}
