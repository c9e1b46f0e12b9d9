import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { s3Differences } from '../services/s3-objects.ts';
import { environmentOf, withS3Server, type S3Server } from '../services/s3-server.ts';
import { runCli } from '../suites/cli.ts';
import { filesBelow, isMarked, temporaryFolder, writeTree } from '../suites/data-tree.ts';

/** Where a process is sent, and as whom. */
interface Attempt {
  readonly bucket: string;
  readonly endpoint: string;
  readonly env: Readonly<Record<string, string>>;
}

const LIBFAKETIME = 'faketime/libfaketimeMT.so.1';

await withS3Server((server) => {
  describe.concurrent.each(['scan', 'receive'] as const)('%s with an S3 store', (command) => {
    test('ends with 3 when the secret key is wrong', async () => {
      const credentials = { ...server.credentials, secretAccessKey: 'wrong' };
      const env = environmentOf(credentials, server.region);
      expect(await refusalOf(command, { env })).toEqual(refused(3, 'STORE_REFUSED'));
    });

    test('ends with 3 when nobody has that access key', async () => {
      const env = environmentOf({ accessKeyId: 'NOBODY', secretAccessKey: 'x' }, server.region);
      expect(await refusalOf(command, { env })).toEqual(refused(3, 'STORE_REFUSED'));
    });

    test('ends with 3 when there are no credentials', async () => {
      const env = { ...server.env, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
      expect(await refusalOf(command, { env })).toEqual(refused(3, 'STORE_REFUSED'));
    });

    test('ends with 3 when the bucket is not ours', async ({ skip }) => {
      const stranger = await server.stranger();
      if (stranger === undefined) return skip('no second user on this server');
      const env = environmentOf(stranger, server.region);
      expect(await refusalOf(command, { env })).toEqual(refused(3, 'STORE_REFUSED'));
    });

    test('ends with 5 when there is no such bucket', async () => {
      const bucket = 'isync-test-not-there';
      expect(await refusalOf(command, { bucket })).toEqual(refused(5, 'STORE_MISSING'));
    });

    test('ends with 4 when nobody answers', async () => {
      // Reserved, and nothing listens there. https://www.rfc-editor.org/rfc/rfc6335#section-6
      const endpoint = 'http://127.0.0.1:1';
      expect(await refusalOf(command, { endpoint })).toEqual(refused(4, 'UNREACHABLE'));
    });
  });

  test('a clock that is 20 minutes slow does not matter', async () => {
    const library = libfaketime();
    await using folder = await temporaryFolder('skew');
    await writeTree(folder.path, { 'DC1/a': 10, 'DC1/finished.parse': '' });
    const bucket = await server.makeBucket();
    const env = { ...server.env, LD_PRELOAD: library, FAKETIME: '-20m', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    const ended = await attempt('scan', folder.path, { bucket, endpoint: server.endpoint, env });
    expect(ended.exitCode).toBe(0);
    expect(await s3Differences(server, bucket, 'kept/edge1', folder.path)).toEqual([]);
    const logged = /"time":"([^"]+)"/.exec(ended.stderr)?.[1] ?? '';
    expect(Date.now() - Date.parse(logged)).toBeGreaterThan(15 * 60_000);
  });

  /** What the user sees of it, and what it has left behind. */
  async function refusalOf(command: 'scan' | 'receive', differing: Partial<Attempt>) {
    await using folder = await temporaryFolder('refusals');
    await writeTree(folder.path, { 'DC1/a': 10 });
    const bucket = await bucketOf(server);
    const ended = await attempt(command, folder.path, {
      bucket,
      endpoint: server.endpoint,
      env: server.env,
      ...differing,
    });
    const files = [...(await filesBelow(folder.path)).values()];
    return {
      exitCode: ended.exitCode,
      code: /\b[A-Z]+_[A-Z_]+\b|UNREACHABLE/.exec(ended.stderr)?.[0] ?? ended.stderr,
      told: ended.stderr.includes(differing.bucket ?? bucket) || ended.stderr,
      secret: ended.stderr.includes(server.credentials.secretAccessKey),
      stackTrace: /^\s+at .+:\d+:\d+\)?$/m.test(ended.stderr),
      marked: files.filter(isMarked).length,
    };
  }
});

/** Told under its code, naming the bucket, in words and not as a stack trace; nothing is marked. */
function refused(exitCode: number, code: string) {
  return { exitCode, code, told: true, secret: false, stackTrace: false, marked: 0 };
}

async function attempt(command: 'scan' | 'receive', root: string, { bucket, endpoint, env }: Attempt) {
  const address = `s3://${bucket}/kept`;
  const args =
    command === 'scan'
      ? [root, '--to', address, '--device', 'edge1', '--once', '--retry-for', '1']
      : [address, '--listen', '127.0.0.1:0'];
  return await runCli([command, ...args, '--s3-endpoint', endpoint, '--json'], { env });
}

const buckets = new WeakMap<S3Server, Promise<string>>();

/** One for all that put nothing into it. */
function bucketOf(server: S3Server): Promise<string> {
  const made = buckets.get(server) ?? server.makeBucket();
  buckets.set(server, made);
  return made;
}

/** Of Debian's package `faketime`: gives a process another clock, as far as it can tell. */
function libfaketime(): string {
  const libraries = '/usr/lib';
  const folder = readdirSync(libraries).find((name) =>
    readdirQuietly(join(libraries, name)).includes('faketime'),
  );
  if (folder === undefined) throw new Error('libfaketime is missing; apt-get install faketime');
  return join(libraries, folder, LIBFAKETIME);
}

function readdirQuietly(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // A file.
    return [];
  }
}
