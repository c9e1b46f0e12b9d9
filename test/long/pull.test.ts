import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { filesBelow } from '../../harness/data-tree.ts';
import { failureOf, isFolder, startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** Just as a tool printed it that people come from; its folders are made those of the test. */
const PRINTED = `{ "queue": "transport-dev",
  "sync": [ "test-folder/": "/srv/a", "test-folder/folder-01/": "/srv/b", "a/": "b", "cc/": "b" ] }
`;

await withS3Server((server) => {
  describe.concurrent('isync pull', () => {
    test('follows a bucket with a config just as another tool prints it', async () => {
      await using stage = await startPullStage(server, { queueName: 'transport-dev' });
      const { at, put, proxy } = stage;
      await writeFile(stage.config, PRINTED.replaceAll('/srv/', `${at('srv')}/`));
      await put('test-folder/top.html', 'top');
      await put('test-folder/folder-01/x/y.html', 'longest prefix');
      await put('a/one', 'one');
      await put('cc/two', 'two');
      const env = { AWS_ENDPOINT_URL_SQS: proxy.endpoint, AWS_ENDPOINT_URL_S3: server.endpoint };
      const { exitCode, summary, stderr } = await stage.once([], { env });
      expect(failureOf({ exitCode, stderr })).toBe('');
      expect(await textsBelow(at('srv/a'))).toEqual({ 'top.html': 'top' });
      expect(await textsBelow(at('srv/b'))).toEqual({ 'x/y.html': 'longest prefix' });
      expect(await textsBelow(at('b'))).toEqual({ one: 'one', two: 'two' });
      expect(summary).toMatchObject({ received: 4, written: 4, parked: 0 });
      expect(await stage.isDrained()).toBe(true);
    });

    test('makes a put, an overwrite, a folder, a delete and odd keys what they are in the bucket', async () => {
      await using stage = await startPullStage(server);
      const { at, put, remove, isDrained } = stage;
      const odd = [
        'with space',
        'plus+plus',
        '100%25%',
        'é ü 日本 😀',
        'e\u0301',
        '&<>"\'',
        '#?;=,@:$',
        'a\\b',
      ];
      await using pull = stage.start();
      await put('a/file', 'first');
      await put('a/gone/soon', 'x');
      await put('a/folder/', '');
      for (const name of odd) await put(`a/${name}`, name);
      await pull.until('what was put', async () => (await isDrained()) && existsSync(at('a/a\\b')));
      expect(await textsBelow(at('a'))).toEqual({
        ...Object.fromEntries(odd.map((name) => [name, name])),
        file: 'first',
        'gone/soon': 'x',
      });
      expect(isFolder(at('a/folder'))).toBe(true);

      await put('a/file', 'second');
      await remove('a/gone/soon');
      await remove('a/folder/');
      await put('elsewhere/key', 'unmatched');
      await pull.until('the changes', () => readFileSync(at('a/file'), 'utf8') === 'second');
      await pull.until('the removals', () => !existsSync(at('a/gone')) && !existsSync(at('a/folder')));
      const { LastModified } = await server.client.send(
        new HeadObjectCommand({ Bucket: stage.bucket, Key: 'a/file' }),
      );
      expect(statSync(at('a/file')).mtimeMs).toBe(LastModified?.getTime());
      expect(statSync(at('a/file')).mode & 0o777).toBe(0o644);
      expect((await pull.stop('SIGTERM')).exitCode).toBe(0);
      expect((await stage.queue.inspect()).ready).toHaveLength(0);
      expect((await stage.queue.inspect()).inFlight.join()).toContain('elsewhere/key');
    });

    test('has one process a state: a second --once ends with 0 and a second daemon with 2', async () => {
      await using stage = await startPullStage(server);
      await using pull = stage.start();
      await stage.put('a/one', 'one');
      await pull.until('a file', () => existsSync(stage.at('a/one')));
      const once = await stage.once();
      expect(once.exitCode).toBe(0);
      expect(once.stderr).toMatch(/another|already|uses/);
      await using second = stage.start();
      const ended = await second.ended;
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toMatch(/FENCED|another|already/);
      expect(pull.over).toBe(false);
    });

    test('--check says that all is well, or what is not, and takes nothing from the queue', async () => {
      await using stage = await startPullStage(server);
      await stage.configure({ buckets: [stage.bucket] });
      await stage.put('a/one', 'one');
      await stage.bridge.flush();
      await using check = stage.start(['--check']);
      const well = await check.ended;
      expect(failureOf(well)).toBe('');
      expect((await stage.queue.inspect()).ready).toHaveLength(1);
      expect(
        [...(await filesBelow(stage.at('a'))).keys()].filter((path) => !path.includes('.isync')),
      ).toEqual([]);

      // Who looks is often root, and the pull itself is somebody else.
      expect(existsSync(`${stage.config}.state`)).toBe(false);

      mkdirSync(stage.at('a'));
      chmodSync(stage.at('a'), 0o555);
      chmodSync(stage.folder, 0o755);
      await using closed = stage.start(['--check'], process.geteuid?.() === 0 ? { uid: 65_534 } : {});
      expect((await closed.ended).exitCode).toBe(1);
      expect(closed.stdout).toMatch(/"fault","message":"can't be written to \(EACCES\)"/);

      await stage.configure({ queue: 'no-such-queue', buckets: ['no-such-bucket-of-ours'] });
      await using bad = stage.start(['--check']);
      const ill = await bad.ended;
      expect(ill.exitCode).not.toBe(0);
      expect(ill.stdout + ill.stderr).toContain('no-such-queue');
    });
  });
});
