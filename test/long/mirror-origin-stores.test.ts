import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { startMirrorBulkStage } from '../../harness/mirror-bulk-stage.ts';
import { clientFor } from '../../harness/s3-access.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** More than the failures after which an origin is left alone. */
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

await withS3Server((server) => {
  /** A bucket of somebody else, whom the keys in the environment are not, and of whom `stores:` tells. */
  async function startStage() {
    const stage = await startMirrorBulkStage(server);
    onTestFinished(async () => await stage[Symbol.asyncDispose]());
    const credentials = await server.stranger();
    if (credentials === undefined) return undefined;
    const client = clientFor({ ...server, credentials });
    onTestFinished(() => client.destroy());
    const theirs = `isync-test-theirs-${randomBytes(6).toString('hex')}`;
    await client.send(new CreateBucketCommand({ Bucket: theirs }));
    for (const name of NAMES)
      await client.send(new PutObjectCommand({ Bucket: theirs, Key: `old/${name}`, Body: `their ${name}` }));
    const secret = stage.at('their.secret');
    await writeFile(secret, `${credentials.secretAccessKey}\n`);
    const keys = {
      endpoint: server.endpoint,
      credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: { file: secret } },
    };
    return { ...stage, theirs, url: `s3://${theirs}/old`, keys };
  }

  it('a bucket of another user is filled from with his keys, and without them nothing is', async () => {
    const stage = await startStage();
    if (stage === undefined) return;
    const { url, keys, run, textOf } = stage;
    await stage.configure({ rules: [{ origins: [{ url, endpoint: server.endpoint }] }] });
    expect(await run('fill')).toMatchObject({ exitCode: 3, summary: { error: { code: 'STORE_REFUSED' } } });
    await stage.configure({ stores: { theirs: { url, ...keys } }, rules: [{ origins: ['store:theirs'] }] });
    expect(await run('fill')).toMatchObject({ exitCode: 0, summary: { filled: NAMES.length, failed: 0 } });
    expect(await textOf('b')).toBe('their b');
    expect(await run('verify')).toMatchObject({
      exitCode: 0,
      summary: { keys: NAMES.length, sameDigest: NAMES.length },
    });
    const { stderr } = await run('fill', '--log-level', 'debug');
    expect(stderr).not.toContain('"secretAccessKey"');
  });

  it('of two buckets of a rule the second is asked where the first fails, each with its own keys', async () => {
    const stage = await startStage();
    if (stage === undefined) return;
    await using front = await startS3Front(server.endpoint);
    const { url, keys, at, run, textOf, oldBucket, put } = stage;
    await put(oldBucket, 'old/a', 'ours');
    await put(oldBucket, 'old/b', 'ours');
    const ours = { url: `s3://${oldBucket}/old`, endpoint: front.endpoint };
    const rules = [{ origins: [ours, 'store:theirs'] }];
    await stage.configure({ stores: { theirs: { url, ...keys } }, rules });
    await writeFile(at('list'), 'a\nb\nc\n');
    front.refuse = ({ url: asked = '' }) =>
      asked.includes('/old/a') ? undefined : { status: 403, code: 'AccessDenied' };
    expect(await run('fill', '--list', at('list'))).toMatchObject({ exitCode: 0, summary: { filled: 3 } });
    expect(await Promise.all(['a', 'b', 'c'].map(textOf))).toEqual(['ours', 'their b', 'their c']);
    expect(await stage.headOf('b')).toMatchObject({
      Metadata: { 'isync-origin': expect.stringContaining(stage.theirs) as unknown },
    });
  });

  it('a bucket that is away keeps one of the same name on another server from nothing', async () => {
    const stage = await startStage();
    if (stage === undefined) return;
    await using front = await startS3Front(server.endpoint);
    const { url, keys, at, run, textOf } = stage;
    const away = { url, ...keys, endpoint: front.endpoint };
    await stage.configure({ rules: [{ origins: [away, { url, ...keys }], concurrency: 1 }] });
    front.refuse = () => ({ status: 500, code: 'InternalError' });
    await writeFile(at('list'), NAMES.join('\n'));
    const { summary } = await run('fill', '--list', at('list'));
    expect(summary).toMatchObject({ filled: NAMES.length, failed: 0 });
    expect(await textOf('h')).toBe('their h');
  });
});
