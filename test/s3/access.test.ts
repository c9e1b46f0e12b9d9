import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { listObjects, putObject } from '../../src/s3/objects.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { all, bodyOf, bucketAt, contentOf } from './buckets.ts';

await withS3Server((server) => {
  it('reaches several servers at once, each with its own credentials', async ({ skip }) => {
    const stranger = await server.stranger();
    skip(stranger === undefined, 'this server makes no users');
    await using front = await startS3Front(server.endpoint);
    const bucket = await server.makeBucket();
    const ours = bucketAt(server, { bucket });
    const theirs = bucketAt(server, { bucket, endpoint: front.endpoint, credentials: stranger });
    await putObject(ours, 'f', bodyOf('content'));
    const refused = { code: 'STORE_REFUSED', retryable: true };
    await Promise.all([
      expect(putObject(theirs, 'f', bodyOf('theirs'))).rejects.toMatchObject(refused),
      expect(all(listObjects(theirs, ''))).rejects.toMatchObject(refused),
      putObject(ours, 'g', bodyOf('more')),
    ]);
    const throughFront = bucketAt(server, { bucket, endpoint: front.endpoint });
    expect(String(await contentOf(throughFront, 'f'))).toBe('content');
    expect(front.asked.length).toBeGreaterThan(2);
  });

  it('takes credentials of the environment where it is given none', async () => {
    Object.assign(process.env, server.env);
    const bucket = bucketAt(server, { bucket: await server.makeBucket(), credentials: undefined });
    await putObject(bucket, 'f', bodyOf('content'));
    expect(String(await contentOf(bucket, 'f'))).toBe('content');
  });

  it('trusts the authority it is given, for this server alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'isync-s3-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const args =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=s3 -addext subjectAltName=IP:127.0.0.1';
    execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'ignore' });
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name), 'utf8'));
    await using front = await startS3Front(server.endpoint, { cert: cert!, key: key! });
    const access = { bucket: await server.makeBucket(), endpoint: front.endpoint };
    const trusting = bucketAt(server, { ...access, ca: cert });
    await putObject(trusting, 'f', bodyOf('content'));
    expect(String(await contentOf(trusting, 'f'))).toBe('content');
    const other = bucketAt(server, access);
    await expect(contentOf(other, 'f')).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });
});
