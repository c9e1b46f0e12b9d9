import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from './copy-stage.ts';

const PAGE = '<html><body><p>Not here<br></body></html>';
/** As a network may answer that wants a login first. */
const PORTAL: Refusal = {
  status: 404,
  code: '',
  body: '<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>',
  headers: { 'content-type': 'text/html' },
};

await withS3Server((server) => {
  describe('what the source does not give', () => {
    const LISTLESS: Refusal = {
      status: 403,
      code: 'AccessDenied',
      message:
        'User: arn:aws:iam::1:user/x is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::b"',
    };
    const DENIED: Refusal = { status: 403, code: 'AccessDenied', message: 'Access Denied' };

    it.each<[string, Refusal, object]>([
      ['a bare 404', { status: 404, code: '', body: '' }, { retryable: true }],
      ['a page with 404', { status: 404, code: '', body: PAGE }, { code: 'UNREACHABLE' }],
      ['NoSuchKey in a page', PORTAL, { code: 'UNREACHABLE', retryable: true }],
      ['a bucket that is away', { status: 404, code: 'NoSuchBucket' }, { code: 'STORE_MISSING' }],
      ['a forbidden bucket', DENIED, { code: 'STORE_REFUSED', retryable: false }],
      ['a fault', { status: 500, code: 'InternalError' }, { code: 'STORE_FAILED', retryable: true }],
    ])('removes no copy by %s', async (_, refusal, error) => {
      const stage = await CopyStage.start(server);
      await stage.putCopy('k', 'copy');
      stage.source.refuse = () => refusal;
      await expect(stage.open().removed('k')).rejects.toMatchObject(error);
      await expect(stage.open().created('k', { isLastLook: true })).rejects.toMatchObject(error);
      expect(await stage.copies()).toEqual(['k']);
    });

    it('an event is believed where S3 says that nothing is there, and the copy is no younger than it', async () => {
      const stage = await CopyStage.start(server);
      await stage.putCopy('k', 'copy');
      stage.source.refuse = () => LISTLESS;
      const worker = stage.open();
      const refused = {
        code: 'STORE_REFUSED',
        retryable: false,
        hint: expect.stringContaining('s3:ListBucket'),
      };
      await expect(worker.removed('k', { timeMs: Date.now() - 60_000 })).rejects.toMatchObject(refused);
      await expect(worker.removed('k', { timeMs: undefined })).rejects.toMatchObject(refused);
      expect(await worker.created('k', { isLastLook: true })).toEqual({ outcome: 'unchanged' });
      expect(await stage.copies()).toEqual(['k']);
      expect(await worker.removed('k', { timeMs: Date.now() + 1000 })).toEqual({ outcome: 'removed' });
      expect(await stage.copies()).toEqual([]);
      stage.source.refuse = () => DENIED;
      expect(await worker.removed('k')).toEqual({ outcome: 'unchanged' });
    });

    it.each([false, true])(
      'an object with a key of a customer is for a person; within a server: %s',
      async (isOneServer) => {
        const stage = await CopyStage.start(server);
        const message = 'The object was stored using a form of Server Side Encryption.';
        stage.source.refuse = () => ({ status: 400, code: 'InvalidRequest', message });
        expect(await stage.open({ isOneServer }).created('k')).toMatchObject(isForPerson('SSE-C'));
      },
    );

    it.each([false, true])('an archived object is for a person; within a server: %s', async (isOneServer) => {
      const stage = await CopyStage.start(server);
      await stage.put('k');
      // A HEAD finds it.
      stage.source.refuse = ({ method, headers }) =>
        method === 'GET' || 'x-amz-copy-source' in headers
          ? { status: 403, code: 'InvalidObjectState' }
          : undefined;
      const worker = stage.open({ isOneServer });
      for (const size of [12, 2_000_000, undefined])
        expect(await worker.created('k', { size })).toMatchObject(isForPerson('archived'));
      expect(await stage.copies()).toEqual([]);
    });
  });
});

function isForPerson(words: string): object {
  return { outcome: 'parked', code: 'FILE_UNREADABLE', reason: expect.stringContaining(words) };
}
