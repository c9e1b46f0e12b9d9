import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { startCeph, stopCeph } from '../../harness/ceph.ts';
import { accessFrom, clientFor, environmentOf, type S3Access } from '../../harness/s3-access.ts';

/** An S3 server with a bucket for all rounds of a run. */
export interface BucketServer {
  readonly access: S3Access;
  readonly bucket: string;
  /** With which processes reach it. */
  readonly env: Readonly<Record<string, string>>;
}

let server: Promise<BucketServer> | undefined;

/** The server that the environment names as for tests, or Ceph, started by the first round that asks; it ends with this process. */
export async function bucketServer(): Promise<BucketServer> {
  server ??= start();
  return await server;
}

async function start(): Promise<BucketServer> {
  const access = accessFrom(
    process.env['ISYNC_TEST_S3_ENDPOINT'] === undefined ? await startOwn() : process.env,
  );
  const client = clientFor(access);
  const bucket = `isync-faults-${Date.now()}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  // Ceph makes its pools, which takes seconds, when the first object and the first upload need them.
  const first = { Bucket: bucket, Key: 'first' };
  await client.send(new PutObjectCommand({ ...first, Body: Buffer.alloc(1) }));
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(first));
  await client.send(new AbortMultipartUploadCommand({ ...first, UploadId }));
  client.destroy();
  return { access, bucket, env: environmentOf(access.credentials, access.region) };
}

async function startOwn(): Promise<Readonly<Record<string, string>>> {
  const folder = mkdtempSync(join(tmpdir(), 'isync-faults-s3-'));
  process.once('exit', () => {
    stopCeph(folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return await startCeph(folder, process.pid);
}
