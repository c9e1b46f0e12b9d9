import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { CreateBucketCommand, GetObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { listed, startCopyStage } from '../../harness/copy-stage.ts';
import { failureOf, startPullStage } from '../../harness/pull-stage.ts';
import { clientFor, credentialsOf, environmentOf, type S3Credentials } from '../../harness/s3-access.ts';
import { withS3Server, type S3Server } from '../../harness/s3-server.ts';

/** Keys that are no good anywhere. */
const NOBODY: S3Credentials = { accessKeyId: 'NOBODY', secretAccessKey: 'x' };

await withS3Server((server) => {
  describe('isync pull', () => {
    test('runs a script for each event, parks what it fails for, and ends at a signal', async () => {
      await using stage = await startPullStage(server, { attributes: { VisibilityTimeout: '2' } });
      const { at, put, remove, bucket } = stage;
      const script = at('script');
      const told = (): string[] =>
        existsSync(at('told')) ? readFileSync(at('told'), 'utf8').split('\n').slice(0, -1) : [];
      await writeFile(script, `#!/bin/sh\n[ "$2" = bad ] && exit 1\necho "$1 $2 $3" >> '${at('told')}'\n`, {
        mode: 0o755,
      });
      await stage.configure({ sync: undefined, script, attempts: 1 });
      await using pull = stage.start();
      await put('a b', 'x');
      await pull.until('the put', () => told().length === 1);
      await put('bad', 'x');
      await remove('a b');
      await pull.until('the removal', () => told().length === 2);
      expect(told()).toEqual([`${bucket} a b copy`, `${bucket} a b delete`]);
      await pull.until('all to be done', async () => await stage.isDrained());
      expect((await pull.stop('SIGTERM')).exitCode).toBe(0);
      expect((await stage.parked('list')).stdout).toContain('bad');
    });

    test('with --once ends with exit code 1 where a script has failed, and does the others', async () => {
      await using stage = await startPullStage(server);
      const script = stage.at('script');
      await writeFile(script, '#!/bin/sh\n[ "$2" != bad ]\n', { mode: 0o755 });
      await stage.configure({ sync: undefined, script, attempts: 1 });
      for (const key of ['bad', 'good']) await stage.put(key, key);
      await stage.bridge.flush();
      const ended = await stage.once();
      expect(ended).toMatchObject({ exitCode: 1, summary: { done: 1, parked: 1 } });
    });

    test('a second one does not work with its state', async () => {
      await using stage = await startPullStage(server);
      await stage.configure({ sync: undefined, script: '/bin/true' });
      await using pull = stage.start();
      await pull.until('it to follow', () => pull.stdout.includes('following'));
      await using second = stage.start();
      const { exitCode, stderr } = await second.ended;
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('works with this state already')]);
      const once = await stage.once();
      expect(once).toMatchObject({ exitCode: 0, summary: { skipped: expect.any(String) } });
    });

    test('refuses --resync where no folder is mapped', async () => {
      await using stage = await startPullStage(server);
      await stage.configure({ sync: undefined, to: 's3://copy', buckets: [stage.bucket] });
      const ended = await stage.once(['--resync']);
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain('isync webhook resync');
    });
  });

  describe('a copy', () => {
    test('goes to a named store with the keys that it has', async ({ skip }) => {
      const other = await otherUser(server);
      if (other === undefined) return skip('no second user is to be had on this server');
      await using stage = await startCopyStage(server);
      const { from, put } = stage;
      await writeFile(stage.at('secret'), `${other.credentials.secretAccessKey}\n`, { mode: 0o600 });
      const store = {
        url: `s3://${other.bucket}/named`,
        endpoint: server.endpoint,
        region: server.region,
        credentials: {
          accessKeyId: other.credentials.accessKeyId,
          secretAccessKey: { file: stage.at('secret') },
        },
      };
      await stage.configure({ stores: { backup: store }, to: 'store:backup', targetEndpoint: undefined });
      for (const key of ['a', 'b']) await put(from, key, `content of ${key}`);
      expect(await stage.run('resync')).toMatchObject({ exitCode: 0 });
      await stage.workOff();
      expect(Object.keys(await listed(other, other.bucket))).toEqual(['named/a', 'named/b']);
      expect((await stage.run('resync')).stdout).toContain('0 objects to copy');
    });

    test('is read as one user and written as another, by their profiles', async ({ skip }) => {
      const other = await otherUser(server);
      if (other === undefined) return skip('no second user is to be had on this server');
      const own = credentialsOf(server.env);
      await using files = await startCopyStage(server);
      await writeFile(
        files.at('credentials'),
        [profile('reader', own), profile('writer', other.credentials)].join('\n'),
      );
      await using stage = await startCopyStage(server, {
        ...environmentOf(NOBODY, server.region),
        AWS_SHARED_CREDENTIALS_FILE: files.at('credentials'),
      });
      const { from, put } = stage;
      await stage.configure({
        to: `s3://${other.bucket}`,
        sourceProfile: 'reader',
        targetProfile: 'writer',
      });
      await put(from, 'a', 'content of a');
      expect(failureOf(await stage.run('resync'))).toBe('');
      await stage.workOff();
      const { Body } = await other.client.send(new GetObjectCommand({ Bucket: other.bucket, Key: 'a' }));
      expect(await Body?.transformToString()).toBe('content of a');
      // Neither may do what the other does.
      await expect(listed(other, from)).rejects.toMatchObject({ name: 'AccessDenied' });
      await expect(listed(server, other.bucket)).rejects.toMatchObject({ name: 'AccessDenied' });
    });
  });
});

const profile = (name: string, { accessKeyId, secretAccessKey }: S3Credentials): string =>
  `[${name}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;

let buckets = 0;

/** Somebody else on the server, with a bucket; undefined where there can be nobody else. */
async function otherUser(server: S3Server) {
  const credentials = await server.stranger();
  if (credentials === undefined) return undefined;
  const client = clientFor({ ...server, credentials });
  const bucket = `isync-other-${process.pid}-${Date.now()}-${buckets++}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return { credentials, client, bucket };
}
