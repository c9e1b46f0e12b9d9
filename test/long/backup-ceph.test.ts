import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import {
  CreateBucketCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { type Ended, until } from '../../harness/process.ts';
import { environmentOf } from '../../harness/s3-access.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks } from '../../harness/tools.ts';

/** Of the one archive that a small file is taken from. */
const BYTES = Number(process.env['ISYNC_TEST_BACKUP_BYTES'] ?? 256 * 1024 ** 2);
/** What may be fetched for it, of whatever archive. */
const MOST_FETCHED = 12 * 1024 ** 2;

const noRsync = lacks('rsync');

await withS3Server((server) => {
  const configure = (root: string, job: object): void => {
    const all = { name: 'app', sources: [join(root, 'src')], stateDir: join(root, 'state'), ...job };
    writeFileSync(join(root, 'backup.yaml'), JSON.stringify({ jobs: [all] }));
  };
  const at = (endpoint: string, bucket: string, more: object = {}): object => ({
    to: [
      { url: `s3://${bucket}/kept`, endpoints: [endpoint], pathStyle: true, region: server.region, ...more },
    ],
  });
  let env = server.env;
  const isync = async (root: string, ...words: readonly string[]): Promise<Ended> =>
    await runCli(['backup', ...words, '--config', join(root, 'backup.yaml'), '--log-level', 'warn'], { env });
  const keysIn = async (Bucket: string): Promise<string[]> => {
    const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket }));
    return Contents.map(({ Key = '' }) => Key);
  };

  describe.skipIf(noRsync)('with a bucket', () => {
    it('runs, lists, verifies, restores and prunes', async () => {
      await using folder = await temporaryFolder('backup-ceph');
      const root = folder.path;
      const source = join(root, 'src');
      mkdirSync(join(source, 'deep'), { recursive: true });
      for (let n = 0; n < 200; n++) writeFileSync(join(source, `deep/f${n}`), randomBytes(n * 200));
      writeFileSync(join(source, 'large'), randomBytes(20_000_000));
      const bucket = await server.makeBucket();
      configure(root, {
        ...at(server.endpoint, bucket),
        full: '7d',
        keep: { last: 2 },
        tags: { env: 'test' },
      });
      for (let n = 0; n < 5; n++) {
        writeFileSync(join(source, `deep/f${n}`), `changed ${n}`);
        rmSync(join(source, `deep/f${n + 100}`));
        const { exitCode, stderr } = await isync(root, 'run');
        expect([exitCode, stderr]).toEqual([0, '']);
      }
      const to = join(root, 'back');
      const restored = await isync(root, 'restore', 'latest', '--to', to);
      expect([restored.exitCode, restored.stderr]).toEqual([0, '']);
      const differ = execFileSync('rsync', ['-anicH', '--delete', `${source}/`, `${join(to, source)}/`]);
      expect(differ.toString()).toBe('');
      const verified = await isync(root, 'verify', '--deep', '--source');
      expect([verified.exitCode, verified.stderr]).toEqual([0, '']);
      // Of 196; what was changed just before it was read, five at the most, is not told apart from later changes.
      expect(verified.stdout).toMatch(/19[1-6] files .*, 0 changed since, 0 problems/);
      // All are needed by the newest two; a full one frees them.
      expect((await isync(root, 'list')).stdout.match(/\.tar\.zst /g)).toHaveLength(5);
      for (let n = 0; n < 2; n++) expect((await isync(root, 'run', '--type', 'full')).exitCode).toBe(0);
      expect((await isync(root, 'prune')).exitCode).toBe(0);
      const keys = await keysIn(bucket);
      expect(keys.map((key) => key.replace(/.*_00\d\.tar\.zst/, 'NAME')).toSorted()).toEqual([
        'NAME',
        'NAME',
        'NAME.files',
        'NAME.files',
        'NAME.manifest',
        'NAME.manifest',
        'kept/app/job.json',
      ]);
    });

    it('keeps what is locked, says so, and lists it', async () => {
      await using folder = await temporaryFolder('backup-lock');
      const root = folder.path;
      mkdirSync(join(root, 'src'));
      writeFileSync(join(root, 'src/a'), 'a');
      const Bucket = `isync-test-${randomBytes(6).toString('hex')}`;
      await server.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
      const lock = { mode: 'governance', days: 1 };
      configure(root, { ...at(server.endpoint, Bucket, { lock }), keep: { last: 1 } });
      for (let n = 0; n < 2; n++) expect((await isync(root, 'run')).exitCode).toBe(0);
      expect((await isync(root, 'list')).stdout.match(/locked to /g)).toHaveLength(2);
      const dry = await isync(root, 'prune', '--dry-run');
      expect(dry.stdout).toContain('locked until');
      expect(dry.stdout).not.toContain('would remove');
      const pruned = await isync(root, 'prune');
      expect([pruned.exitCode, pruned.stderr]).toEqual([0, '']);
      expect(pruned.stdout).toContain('locked until');
      expect((await isync(root, 'restore', 'latest', '--stdout', join(root, 'src/a'))).stdout).toBe('a');
      // Whoever may lift locks does; isync does not.
      for (const Key of (await keysIn(Bucket)).filter((key) => key.includes('_001.tar'))) {
        const RetainUntilDate = new Date(Date.now() + 10_000);
        const Retention = { Mode: 'GOVERNANCE', RetainUntilDate } as const;
        await server.client.send(
          new PutObjectRetentionCommand({ Bucket, Key, Retention, BypassGovernanceRetention: true }),
        );
      }
      await until('prune to find them lifted', async () => {
        const { exitCode, stdout } = await isync(root, 'prune');
        return exitCode === 0 && stdout.includes('1 backup removed');
      });
      expect((await keysIn(Bucket)).filter((key) => key.includes('_001.tar'))).toEqual([]);
      expect((await isync(root, 'verify', '--deep')).exitCode).toBe(0);
    });
  });

  it.skipIf(noRsync)('restores over a link that breaks now and then', async () => {
    await using folder = await temporaryFolder('backup-cut');
    const root = folder.path;
    const source = join(root, 'src');
    mkdirSync(source);
    for (let n = 0; n < 30; n++) writeFileSync(join(source, `f${n}`), randomBytes(1_000_000));
    const bucket = await server.makeBucket();
    configure(root, at(server.endpoint, bucket));
    expect((await isync(root, 'run')).exitCode).toBe(0);

    await using proxy = await faultyProxy(Number(new URL(server.endpoint).port));
    let passed = 0;
    let cuts = 0;
    proxy.shape = (piece, to) => {
      if (to === 'sender') passed += piece.length;
      if (passed > (cuts + 1) * 5_000_000) {
        cuts++;
        setImmediate(() => proxy.cut());
      }
      return [piece];
    };
    configure(root, at(`http://127.0.0.1:${proxy.port}`, bucket));
    const to = join(root, 'back');
    const { exitCode, stderr } = await isync(root, 'restore', 'latest', '--to', to);
    expect([exitCode, cuts > 3]).toEqual([0, true]);
    // Each of them is told.
    expect(stderr).toContain('a request to a backup target failed');
    const differ = execFileSync('rsync', ['-anicH', '--delete', `${source}/`, `${join(to, source)}/`]);
    expect(differ.toString()).toBe('');
  });

  it('goes on without a right to remove, and says so', async (context) => {
    const somebody = await server.stranger();
    if (somebody === undefined) return context.skip('the server is not ours to make users on');
    await using folder = await temporaryFolder('backup-denied');
    const root = folder.path;
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'src/a'), 'a');
    const Bucket = await server.makeBucket();
    const granted = [
      'GetObject',
      'PutObject',
      'ListBucket',
      'ListBucketMultipartUploads',
      'ListMultipartUploadParts',
    ];
    const statement = {
      Effect: 'Allow',
      Principal: '*',
      Action: granted.map((action) => `s3:${action}`),
      Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
    };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await server.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    configure(root, { ...at(server.endpoint, Bucket), keep: { last: 1 } });
    env = environmentOf(somebody, server.region);
    onTestFinished(() => void (env = server.env));
    for (let n = 0; n < 3; n++) {
      const { exitCode, stderr } = await isync(root, 'run');
      const lines = stderr.split('\n').filter((line) => line.includes('no right'));
      expect([exitCode, lines.length]).toEqual([0, n === 0 ? 0 : 1]);
    }
    const { exitCode, stdout } = await isync(root, 'prune');
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('there is no right to remove')]);
    env = server.env;
    expect((await isync(root, 'prune')).exitCode).toBe(0);
    expect((await keysIn(Bucket)).length).toBe(4);
  });

  it('fetches little for a file of 10 KiB in a large archive', async () => {
    await using folder = await temporaryFolder('backup-one');
    const root = folder.path;
    const source = join(root, 'src');
    mkdirSync(source);
    const small = randomBytes(5 * 1024).toString('hex');
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let left = BYTES / 2; left > 0; left -= 1024 ** 2) yield randomBytes(1024 ** 2);
    };
    for (const name of ['a', 'z']) await pipeline(pieces, createWriteStream(join(source, name)));
    writeFileSync(join(source, 'm.small'), small);
    const bucket = await server.makeBucket();
    configure(root, at(server.endpoint, bucket));
    expect((await isync(root, 'run')).exitCode).toBe(0);

    await using proxy = await faultyProxy(Number(new URL(server.endpoint).port));
    let fetched = 0;
    proxy.shape = (piece, to) => {
      if (to === 'sender') fetched += piece.length;
      return [piece];
    };
    // A new machine.
    configure(root, { ...at(`http://127.0.0.1:${proxy.port}`, bucket), stateDir: join(root, 'other') });
    const printed = await isync(root, 'restore', 'latest', '--stdout', join(source, 'm.small'));
    expect([printed.exitCode, printed.stdout === small]).toEqual([0, true]);
    expect(fetched).toBeGreaterThan(small.length / 2);
    expect(fetched).toBeLessThan(MOST_FETCHED);
    const before = fetched;
    const to = join(root, 'back');
    expect((await isync(root, 'restore', 'latest', '*.small', '--to', to)).exitCode).toBe(0);
    expect(readFileSync(join(to, source, 'm.small'), 'utf8')).toBe(small);
    expect(fetched - before).toBeLessThan(MOST_FETCHED);
    console.log(
      `of ${BYTES} bytes ${before} were fetched to print a file, ${fetched - before} to restore it`,
    );
  });
});
