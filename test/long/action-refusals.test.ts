import { DeleteBucketCommand, DeleteBucketPolicyCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage, answerGets } from '../events/action-stage.ts';

const PAGE = '<!DOCTYPE html>\n<html><body><p>Not here<br></body></html>';
const XML_PAGE = '<html><body><p>Not here</p></body></html>';

/** A file of an object that is gone, and two others. */
async function startWithGone(
  ...[server, options]: Parameters<typeof ActionStage.start>
): Promise<ActionStage> {
  const stage = await ActionStage.start(server, options);
  for (const key of ['f', 'g', 'h']) {
    await stage.put(key);
    await stage.created(key);
  }
  await stage.delete('f');
  return stage;
}

/** As S3 makes them. */
function sequencerAt(timeMs: number): string {
  return `00${Math.floor(timeMs / 1000).toString(16)}DCD90281E5`;
}

const DENIED: Refusal = { status: 403, code: 'AccessDenied', message: 'Access Denied' };
const DENIED_LIST: Refusal = {
  status: 403,
  code: 'AccessDenied',
  message:
    'User: arn:aws:iam::1:user/x is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::b" because no identity-based policy allows the s3:ListBucket action',
};
const DENIED_KEY: Refusal = {
  status: 403,
  code: 'AccessDenied',
  message:
    'User: arn:aws:iam::1:user/x is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext',
};
const REFUSED = { code: 'STORE_REFUSED', retryable: false, hint: expect.stringContaining('s3:GetObject') };

await withS3Server((server) => {
  describe('not one file goes, whatever the event says, by', () => {
    const foreign = { code: 'UNREACHABLE', retryable: true };
    it.each<[string, Refusal, object]>([
      ['a bare 404', { status: 404, code: '', body: '' }, { retryable: true }],
      ['a page with 404', { status: 404, code: '', body: PAGE }, foreign],
      ['a page with 404 that is XML', { status: 404, code: '', body: XML_PAGE }, { retryable: true }],
      [
        'a page with 200',
        { status: 200, code: '', body: PAGE, headers: { 'content-type': 'text/html' } },
        foreign,
      ],
      ['a page with 403', { status: 403, code: '', body: PAGE }, foreign],
      ['a bare 403', { status: 403, code: '', body: '' }, { retryable: true }],
      ['NoSuchBucket', { status: 404, code: 'NoSuchBucket' }, { code: 'STORE_MISSING' }],
      [
        'NoSuchKey in a page',
        {
          status: 404,
          code: '',
          body: '<Error><Code>NoSuchKey</Code></Error>',
          headers: { 'content-type': 'text/html' },
        },
        foreign,
      ],
      ['NoSuchKey that is no 404', { status: 400, code: 'NoSuchKey' }, { retryable: true }],
      ['NoSuchVersion', { status: 404, code: 'NoSuchVersion' }, { retryable: true }],
      ['NotFound', { status: 404, code: 'NotFound' }, { retryable: true }],
      ['MethodNotAllowed', { status: 405, code: 'MethodNotAllowed' }, { retryable: true }],
      ['SlowDown', { status: 503, code: 'SlowDown' }, { code: 'BUSY', retryable: true }],
      ['a fault', { status: 500, code: 'InternalError' }, { code: 'STORE_FAILED', retryable: true }],
      [
        'credentials that have expired',
        { status: 400, code: 'ExpiredToken' },
        { code: 'STORE_REFUSED', retryable: true },
      ],
      [
        'a wrong key',
        { status: 403, code: 'InvalidAccessKeyId' },
        { code: 'STORE_REFUSED', retryable: true },
      ],
      ['a forbidden bucket', DENIED, REFUSED],
      [
        'a key of KMS',
        DENIED_KEY,
        { code: 'STORE_REFUSED', retryable: false, hint: expect.stringContaining('kms:Decrypt') },
      ],
      [
        'a key of KMS that is off',
        { status: 400, code: 'KMS.DisabledException' },
        { code: 'STORE_REFUSED', retryable: false },
      ],
    ])('%s', async (_, refusal, error) => {
      const stage = await startWithGone(server);
      answerGets(stage, refusal);
      await expect(stage.removed('f')).rejects.toMatchObject(error);
      await expect(stage.created('f', { isLastLook: true })).rejects.toMatchObject(error);
      expect(stage.files()).toEqual(['f', 'g', 'h']);
      expect(stage.state.count(stage.bucket, '')).toBe(3);
      stage.front.refuse = undefined;
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
    });

    it('a bucket that is gone, and a server that is', async () => {
      const stage = await startWithGone(server);
      for (const key of ['g', 'h']) await stage.delete(key);
      await server.client.send(new DeleteBucketCommand({ Bucket: stage.bucket }));
      await expect(stage.removed('f')).rejects.toMatchObject({ code: 'STORE_MISSING' });
      stage.front.cutAnswer = () => true;
      await expect(stage.removed('f')).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
      expect(stage.files()).toEqual(['f', 'g', 'h']);
    });

    it('an archive, and a key of a customer: both are parked', async () => {
      const stage = await startWithGone(server);
      answerGets(stage, { status: 403, code: 'InvalidObjectState' });
      expect(await stage.created('f')).toMatchObject({
        outcome: 'parked',
        code: 'FILE_UNREADABLE',
        reason: expect.stringContaining('archived'),
      });
      const message =
        'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.';
      answerGets(stage, { status: 400, code: 'InvalidRequest', message });
      expect(await stage.removed('f')).toMatchObject({
        outcome: 'parked',
        reason: expect.stringContaining('SSE-C'),
      });
      expect(stage.files()).toEqual(['f', 'g', 'h']);
    });
  });

  describe('where S3 answers 403 for a missing key', () => {
    it('a removal is believed while another object can be read', async () => {
      const stage = await startWithGone(server);
      answerGets(stage, DENIED, 'f');
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['g', 'h']);
    });

    it('a removal is believed by its own where no other object is known', async () => {
      const stage = await startWithGone(server);
      for (const key of ['g', 'h']) await stage.state.remove(stage.bucket, key);
      answerGets(stage, DENIED);
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
    });

    it('a removal is believed where the answer says that listing is what is missing', async () => {
      const stage = await startWithGone(server);
      answerGets(stage, DENIED_LIST);
      expect(await stage.created('f')).toEqual({ outcome: 'missing' });
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['g', 'h']);
    });

    it('no event but a removal is believed, however often its key is looked at', async () => {
      const stage = await startWithGone(server);
      answerGets(stage, DENIED_LIST);
      expect(await stage.created('f', { isLastLook: true })).toEqual({ outcome: 'unchanged' });
      expect(stage.files()).toEqual(['f', 'g', 'h']);
    });

    it('a path waits for the removal of the key that has it', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('a');
      await stage.created('a');
      await stage.delete('a');
      await stage.put('a/b');
      stage.front.refuse = ({ url = '' }) => (/\/a(?:\?|$)/.test(url) ? DENIED_LIST : undefined);
      await expect(stage.created('a/b')).rejects.toMatchObject({ code: 'BUSY', retryable: true });
      expect(await stage.removed('a')).toEqual({ outcome: 'removed' });
      expect(await stage.created('a/b')).toMatchObject({ outcome: 'written' });
    });

    it('no words of a key are taken for those of the server', async () => {
      const stage = await startWithGone(server);
      answerGets(stage, {
        ...DENIED,
        message:
          'User: u is not authorized to perform: s3:GetObject on resource: "b/ to perform: s3:ListBucket"',
      });
      await expect(stage.removed('f')).rejects.toMatchObject(REFUSED);
    });

    it('an older removal is not believed: by sequencer on AWS, else by time', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f');
      await stage.put('g');
      const timeMs = Date.now();
      await stage.created('f', { sequencer: '0055AA', timeMs });
      await stage.created('g', { dialect: 'ceph', sequencer: 'AA', timeMs });
      answerGets(stage, DENIED_LIST);
      expect(await stage.removed('f', { sequencer: '0055A9', timeMs: timeMs + 1 })).toEqual({
        outcome: 'unchanged',
      });
      expect(await stage.removed('f', { timeMs: timeMs - 1 })).toEqual({ outcome: 'unchanged' });
      expect(await stage.removed('g', { dialect: 'ceph', sequencer: 'FF', timeMs: timeMs - 1 })).toEqual({
        outcome: 'unchanged',
      });
      await expect(stage.removed('g', { dialect: 'vk', sequencer: '9', timeMs: undefined })).resolves.toEqual(
        { outcome: 'unchanged' },
      );
      await expect(stage.removed('g', { timeMs: undefined })).rejects.toMatchObject(REFUSED);
      expect(stage.files()).toEqual(['f', 'g']);
      expect(await stage.removed('f', { sequencer: '0055AA00', timeMs: timeMs - 1 })).toEqual({
        outcome: 'removed',
      });
      expect(await stage.removed('g', { dialect: 'ceph', sequencer: 'AA', timeMs })).toEqual({
        outcome: 'removed',
      });
    });

    it('a later event of the same version counts too', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f');
      await stage.created('f', { sequencer: '01' });
      expect(await stage.created('f', { sequencer: '03' })).toEqual({ outcome: 'unchanged' });
      expect(await stage.created('f', { sequencer: '02' })).toEqual({ outcome: 'unchanged' });
      answerGets(stage, DENIED_LIST);
      expect(await stage.removed('f', { sequencer: '02' })).toEqual({ outcome: 'unchanged' });
      expect(stage.files()).toEqual(['f']);
    });

    it.each([
      ['sequencer', 'f'.repeat(64), 0],
      ['sequencer of a minute that has not come', sequencerAt(Date.now() + 600_000), 0],
      ['time', undefined, 600_000],
    ] as const)('no forged %s lets a file stay for good', async (_, sequencer, aheadMs) => {
      const stage = await ActionStage.start(server);
      const later = { sequencer: sequencerAt(Date.now() + 2000), timeMs: Date.now() + 2000 };
      const forged = { sequencer, timeMs: Date.now() + aheadMs };
      for (const key of ['f', 'g']) await stage.put(key);
      expect(await stage.created('f', forged)).toMatchObject({ outcome: 'written' });
      await stage.created('g', { sequencer: sequencerAt(Date.now()) });
      expect(await stage.created('g', forged)).toEqual({ outcome: 'unchanged' });
      answerGets(stage, DENIED_LIST);
      for (const key of ['f', 'g']) expect(await stage.removed(key, later)).toEqual({ outcome: 'removed' });
    });

    it('a folder that is removed as a whole is told from a bucket that is forbidden', async () => {
      const stage = await ActionStage.start(server);
      for (const key of ['a/1', 'a/2', 'a/3', 'a/4', 'a/5', 'b']) {
        await stage.put(key);
        await stage.created(key);
      }
      answerGets(stage, DENIED, 'a/');
      for (const key of ['a/1', 'a/2', 'a/3', 'a/4', 'a/5'])
        expect(await stage.removed(key)).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['b']);
    });

    it('a whole prefix that is removed stays, and the hint says what would tell it from a forbidden one', async () => {
      const stage = await ActionStage.start(server);
      for (const key of ['1', '2', '3']) {
        await stage.put(key);
        await stage.created(key);
      }
      answerGets(stage, DENIED);
      for (const key of ['1', '2', '3'])
        await expect(stage.removed(key)).rejects.toMatchObject({
          ...REFUSED,
          hint: expect.stringMatching(/^Grant s3:ListBucket on the bucket: .* all removed at once/),
        });
      expect(stage.files()).toEqual(['1', '2', '3']);
    });

    it('does so with a user who may read and not list', async ({ skip }) => {
      const stranger = await server.stranger();
      skip(stranger === undefined, 'this server makes no users');
      const stage = await startWithGone(server);
      await stage.open({ access: { credentials: stranger! } });
      await expect(stage.removed('f')).rejects.toMatchObject(REFUSED);
      const policy = {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { AWS: ['arn:aws:iam:::user/stranger'] },
            Action: ['s3:GetObject'],
            Resource: [`arn:aws:s3:::${stage.bucket}/*`],
          },
        ],
      };
      await server.client.send(
        new PutBucketPolicyCommand({ Bucket: stage.bucket, Policy: JSON.stringify(policy) }),
      );
      await stage.open({ access: { credentials: stranger! } });
      expect(await stage.created('g')).toEqual({ outcome: 'unchanged' });
      expect(stage.front.answered.at(-1)!.status).toBe(304);
      await stage.put('g', 'new');
      expect(await stage.created('g')).toEqual({ outcome: 'written', bytes: 3 });
      await expect(stage.created('f')).rejects.toMatchObject(REFUSED);
      expect(stage.front.answered.at(-1)!.status).toBe(403);
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      await stage.open({ access: { credentials: stranger! } });
      await server.client.send(new DeleteBucketPolicyCommand({ Bucket: stage.bucket }));
      await expect(stage.removed('g')).rejects.toMatchObject(REFUSED);
      expect(stage.files()).toEqual(['g', 'h']);
    });
  });

  it('tells whose bucket it must be, and that it pays', async () => {
    const stage = await ActionStage.start(server, { bucketOwner: '123456789012', requestPayer: true });
    await stage.put('f');
    const seen: unknown[] = [];
    stage.front.before = ({ headers }) =>
      void seen.push(headers['x-amz-expected-bucket-owner'], headers['x-amz-request-payer']);
    await stage.created('f');
    expect(seen).toEqual(['123456789012', 'requester']);
  });
});
