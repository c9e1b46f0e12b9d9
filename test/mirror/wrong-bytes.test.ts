import { createHash } from 'node:crypto';
import { HeadObjectCommand, NotFound } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { startMirror, startOrigin } from './serve-stage.ts';

const TEXT = '0123456789';

await withS3Server((server) => {
  it('a body that is not the one of its digest is cut before its end: no client takes it for whole', async () => {
    const origin = await startOrigin((_request, response) => {
      response.setHeader('content-length', TEXT.length);
      response.setHeader('content-md5', createHash('md5').update('another').digest('base64'));
      response.end(TEXT);
    });
    const { ask, bucket, mirror } = await startMirror(server, origin.url);
    await expect(ask('/k')).rejects.toThrow('aborted');
    await mirror.fills.settled();
    const head = server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'pre/k' }));
    await expect(head).rejects.toBeInstanceOf(NotFound);
  });
});
