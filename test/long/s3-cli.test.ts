import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { keysBelow, readBack, s3Differences } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import {
  runCli,
  scanOnce,
  startReceiver,
  startScan,
  type CliOptions,
  type Scanned,
} from '../../harness/cli.ts';
import type { Ended } from '../../harness/process.ts';
import { isSealed, temporaryFolder, writeTree, type Tree } from '../../harness/data-tree.ts';

/** What `isync verify --json` prints at its end. */
interface Verified extends Ended {
  readonly summary: Readonly<
    Record<'files' | 'different' | 'missing' | 'extra' | 'problems' | 'repaired', number>
  >;
}

const TREE: Tree = {
  'DC1/a': 'small',
  'DC1/empty': 0,
  'DC1/sub/näme with space+plus': 3000,
  'DC1/chunks': 300_000,
  'DC1/parts': 20 * 1024 * 1024 + 1,
  'DC1/finished.parse': 'parsed',
  'DC2/b': 'of the newest directory',
};

await withS3Server((server) => {
  let bucket: string;
  beforeAll(async () => {
    bucket = await server.makeBucket();
  });

  const ENDPOINT = ['--s3-endpoint', server.endpoint];
  const options: CliOptions = { env: server.env };
  const address = (prefix: string) => `s3://${bucket}/${prefix}`;

  async function differences(root: string, prefix: string): Promise<string[]> {
    return await s3Differences(server, bucket, `${prefix}/edge1`, root);
  }

  /** Overwrites or makes an object behind the back of isync. */
  async function write(key: string, content: string): Promise<void> {
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: Buffer.from(content) }));
  }

  async function remove(key: string): Promise<void> {
    await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  }

  async function withTree<T>(tree: Tree, use: (root: string) => Promise<T>): Promise<T> {
    await using folder = await temporaryFolder('s3');
    await writeTree(folder.path, tree);
    return await use(folder.path);
  }

  async function scan(root: string, to: string, args: readonly string[] = []): Promise<Scanned> {
    const where = to.startsWith('s3:') ? ENDPOINT : [];
    return await scanOnce(root, { to, args: [...where, ...args], ...options });
  }

  async function verify(root: string, to: string, args: readonly string[] = []): Promise<Verified> {
    const where = to.startsWith('s3:') ? ENDPOINT : [];
    const command = ['verify', root, '--to', to, '--device', 'edge1', '--json', ...where, ...args];
    const ended = await runCli(command, options);
    return { ...ended, summary: JSON.parse(ended.stdout) as Verified['summary'] };
  }

  async function receiver(prefix: string, args: readonly string[] = []) {
    return await startReceiver(address(prefix), { args: [...ENDPOINT, ...args], ...options });
  }

  describe('isync scan --to s3://', () => {
    test('keeps every file below the device, seals, and has nothing to do the next time', async () => {
      await withTree(TREE, async (root) => {
        const { exitCode, summary } = await scan(root, address('direct/site'));
        expect(exitCode).toBe(0);
        expect(summary).toMatchObject({ files: 6, problemCount: 0 });
        expect([isSealed(root, 'DC1'), isSealed(root, 'DC2')]).toEqual([true, false]);
        expect(await differences(root, 'direct/site')).toEqual([]);
        expect(await scan(root, address('direct/site'))).toMatchObject({
          exitCode: 0,
          summary: { files: 0, skippedMarked: 1 },
        });
        expect(
          (await keysBelow(server, bucket, 'direct')).filter((key) => !key.startsWith('direct/site/edge1/')),
        ).toEqual([]);
      });
    });

    test('follows files as they are finished, until it is stopped', async () => {
      await withTree({ 'DC1/a': 'first' }, async (root) => {
        const to = address('daemon');
        await using daemon = startScan(root, { to, args: ENDPOINT, ...options });
        await daemon.until(
          'the first file',
          async () => (await keysBelow(server, bucket, 'daemon/edge1/')).length === 1,
        );
        await writeTree(root, { 'DC1/b': 'second', 'DC1/finished.parse': '' });
        await daemon.until('the seal', () => isSealed(root, 'DC1'));
        expect((await daemon.stop('SIGINT')).exitCode).toBe(130);
        expect(await differences(root, 'daemon')).toEqual([]);
      });
    });
  });

  describe('isync verify --to s3://', () => {
    test('tells what differs by content, and by size and time with --quick', async () => {
      await withTree(TREE, async (root) => {
        const to = address('verify');
        await scan(root, to);
        for (const args of [[], ['--quick'], ['--digest', 'sha256']])
          expect(await verify(root, to, args)).toMatchObject({
            exitCode: 0,
            summary: { files: 7, different: 0, missing: 0, extra: 0, problems: 0 },
          });
        await write('verify/edge1/DC1/a', 'SMALL');
        await remove('verify/edge1/DC1/chunks');
        await write('verify/edge1/DC1/nobody', 'knows it');
        const wrong = { different: 1, missing: 1, extra: 1, problems: 0 };
        expect(await verify(root, to)).toMatchObject({ exitCode: 1, summary: wrong });
        // Whoever wrote the object behind our back gave it no mtime of ours.
        expect(await verify(root, to, ['--quick'])).toMatchObject({ exitCode: 1, summary: wrong });
      });
    });

    test('--repair has the next scan mend the bucket', async () => {
      await withTree(TREE, async (root) => {
        const to = address('repair');
        await scan(root, to);
        await write('repair/edge1/DC1/a', 'SMALL');
        await remove('repair/edge1/DC1/parts');
        expect(await verify(root, to, ['--repair'])).toMatchObject({ exitCode: 1, summary: { repaired: 2 } });
        expect(isSealed(root, 'DC1')).toBe(false);
        expect(await scan(root, to)).toMatchObject({ exitCode: 0, summary: { files: 2 } });
        expect(isSealed(root, 'DC1')).toBe(true);
        expect(await differences(root, 'repair')).toEqual([]);
        expect((await verify(root, to)).exitCode).toBe(0);
      });
    });

    test('of a bucket that has nothing finds everything missing, and changes nothing', async () => {
      await withTree({ 'DC1/a': 'a' }, async (root) => {
        expect(await verify(root, address('nothing'))).toMatchObject({
          exitCode: 1,
          summary: { missing: 1 },
        });
        expect(await keysBelow(server, bucket, 'nothing')).toEqual([]);
      });
    });
  });

  describe('isync receive s3://', () => {
    test('keeps what devices send as a scan to the bucket itself would', async () => {
      await withTree(TREE, async (root) => {
        await using one = await receiver('received');
        expect(await scan(root, one.url)).toMatchObject({ exitCode: 0, summary: { files: 6 } });
        expect(isSealed(root, 'DC1')).toBe(true);
        expect(await differences(root, 'received')).toEqual([]);
        expect(JSON.parse(one.process.stdout)).toMatchObject({ store: address('received') });
        for (const to of [one.url, address('received')])
          for (const args of [[], ['--quick']]) expect((await verify(root, to, args)).exitCode).toBe(0);
        expect((await one.process.stop('SIGTERM')).exitCode).toBe(0);
      });
    });

    test('shares a bucket with another one, which goes on where the first was left', async () => {
      await withTree({ 'DC1/a': 'a' }, async (root) => {
        await using one = await receiver('shared');
        await using two = await receiver('shared');
        await scan(root, one.url);
        await writeTree(root, { 'DC1/b': 'b', 'DC1/finished.parse': '' });
        expect(await scan(root, two.url)).toMatchObject({
          exitCode: 0,
          summary: { files: 1 },
        });
        expect(isSealed(root, 'DC1')).toBe(true);
        for (const { url } of [one, two]) expect((await verify(root, url)).exitCode).toBe(0);
        expect(await differences(root, 'shared')).toEqual([]);
      });
    });

    test('holds a quota, a size limit and immutability', async () => {
      await withTree({ 'DC1/a': 600, 'DC1/large': 1500 }, async (root) => {
        await using limited = await receiver('limited', ['--quota', '1000']);
        const large = await scan(root, limited.url);
        expect(large).toMatchObject({ exitCode: 1, summary: { files: 1 } });
        expect(large.summary.problems).toMatchObject([{ path: 'DC1/large', code: 'FILE_TOO_LARGE' }]);
        await writeTree(root, { 'DC1/large': 600 });
        expect((await scan(root, limited.url)).stderr).toContain('STORE_FULL');
        expect(await keysBelow(server, bucket, 'limited/edge1')).toEqual(['limited/edge1/DC1/a']);

        await using small = await receiver('limited', ['--max-file-size', '500']);
        const refused = await scan(root, small.url);
        expect(refused.summary.problems).toMatchObject([{ path: 'DC1/large', code: 'FILE_TOO_LARGE' }]);

        await using immutable = await receiver('limited', ['--immutable']);
        await writeTree(root, { 'DC1/a': 'other' });
        await chmod(join(root, 'DC1/a'), 0o644);
        const kept = await scan(root, immutable.url);
        expect(kept).toMatchObject({ exitCode: 1, summary: { files: 1 } });
        expect(kept.summary.problems).toMatchObject([{ path: 'DC1/a', code: 'IMMUTABLE' }]);
        expect(await readBack(server, bucket, 'limited/edge1/DC1/a')).toMatchObject({ bytes: 600 });
      });
    });
  });

  describe('what can not work is told in words', () => {
    test.each([
      ['--s3-region', 'eu-central-1', 'is for an s3://BUCKET/PREFIX target only'],
      ['--s3-tag', 'a=b', 'is for an s3://BUCKET/PREFIX target only'],
    ])('%s without a bucket', async (name, value, why) => {
      const { exitCode, stderr } = await runCli(
        ['scan', '/tmp', '--to', 'ws://127.0.0.1:1', name, value],
        options,
      );
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)]);
    });

    test('an address that can be none', async () => {
      const { exitCode, stderr } = await runCli(['receive', 's3://Bucket?x=1'], options);
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringContaining('store: "s3://Bucket?(hidden)" has a "?"'),
      ]);
    });

    test('what needs a disk', async () => {
      const command = ['receive', address('x'), ...ENDPOINT, '--min-free', '1GiB'];
      const { exitCode, stderr } = await runCli(command, options);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('is for a folder only')]);
    });
  });
});
