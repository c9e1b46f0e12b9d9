import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { HeadObjectCommand, NotFound } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { startMirror, startOrigin } from './serve-stage.ts';

const TEXT = '0123456789';

await withS3Server((server) => {
  const begin = async (
    options: Parameters<typeof startMirror>[2] = {},
    answer: Parameters<typeof startOrigin>[0] = (_request, response) => void response.end(TEXT),
  ) => await startMirror(server, (await startOrigin(answer)).url, options);

  it('a body that is not the one of its digest is cut before its end: no client takes it for whole', async () => {
    const { ask, bucket, mirror } = await begin({}, (_request, response) => {
      response.setHeader('content-length', TEXT.length);
      response.setHeader('content-md5', createHash('md5').update('another').digest('base64'));
      response.end(TEXT);
    });
    await expect(ask('/k')).rejects.toThrow('aborted');
    await mirror.fills.settled();
    const head = server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: 'pre/k' }));
    await expect(head).rejects.toBeInstanceOf(NotFound);
  });

  it('a client that is to be redirected gets no object where the spool fails: 503', async () => {
    const body = Buffer.alloc(300_000, 'x');
    const { ask, folder } = await begin({ onMiss: 'redirect' }, (_request, response) => {
      response.setHeader('content-length', body.length);
      response.end(body);
    });
    await rm(folder, { recursive: true });
    const told = await ask('/k');
    expect([told.status, told.headers['cache-control'], told.headers['isync-mirror']]).toEqual([
      503,
      'no-store',
      'ERROR',
    ]);
    expect(told.headers['retry-after']).toBe('5');
  });

  it.each(['*', 'unquoted', '"a"b"'])(
    'an object has no ETag where the origin has none that is one: %s',
    async (etag) => {
      const { ask } = await begin({}, (_request, response) => {
        response.setHeader('etag', etag);
        response.end(TEXT);
      });
      expect((await ask('/k')).headers['etag']).toBeUndefined();
    },
  );

  it('of what can be no key the log has the path alone, for a query may hold a secret', async () => {
    const { ask, log } = await begin();
    expect((await ask('/%ff?token=sesame')).status).toBe(400);
    expect((await ask('/?token=sesame')).status).toBe(404);
    const keys = log.lines.filter(({ message }) => message === 'request').map(({ fields }) => fields['key']);
    expect(keys).toEqual(['/%ff', '/']);
  });
});
