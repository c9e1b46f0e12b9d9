import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectsV2Command,
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, expect, inject, test } from 'vitest';
import { cephUser, giveCephKey, missingForCeph, revokeCephKey, startCeph } from './ceph.ts';
import { leaveOut } from './tools.ts';
import {
  accessFrom,
  clientFor,
  credentialsOf,
  environmentOf,
  type S3Access,
  type S3Credentials,
} from './s3-access.ts';

/** A real S3 server: the one that the environment names, or Ceph, started once a run. */
export interface S3Server extends S3Access {
  /** As a user of `isync` would give them to it: where the server is goes into its command line. */
  readonly env: Readonly<Record<string, string>>;
  readonly client: S3Client;
  /** An empty bucket; it is removed when the test file is over. */
  makeBucket(): Promise<string>;
  /** Somebody who may not touch our buckets; undefined where the server is not ours to make users on. */
  stranger(): Promise<S3Credentials | undefined>;
  /** Somebody whose keys can be taken away; undefined likewise. */
  guest(): Promise<S3Guest | undefined>;
}

export interface S3Guest {
  readonly credentials: S3Credentials;
  /** The server refuses the keys from then on. */
  revoke(): Promise<void>;
  /** The same keys count again. */
  giveBack(): Promise<void>;
}

/**
 * Registers the tests that need an S3 server. Where none is to be had they are left out, see leaveOut. Await it at the
 * top of a test file.
 */
export async function withS3Server(suite: (server: S3Server) => void): Promise<void> {
  const found = await findServer();
  const missing = typeof found === 'string' ? found : undefined;
  if (missing !== undefined) leaveOut('an S3 server', missing);
  test.skipIf(missing !== undefined)('an S3 server is to be had', () => {
    expect(missing).toBeUndefined();
  });
  if (typeof found === 'string') return;
  const server = new Server(found);
  afterAll(async () => await server.removeBuckets());
  suite(server);
}

interface Found {
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** Of a Ceph that is ours. */
  readonly folder: string | undefined;
}

/** A server, or why there is none. */
async function findServer(): Promise<Found | string> {
  if (process.env['ISYNC_TEST_S3_ENDPOINT'] !== undefined)
    return { settings: process.env, folder: undefined };
  const missing = missingForCeph();
  if (missing === undefined) {
    const folder = inject('s3Folder');
    return { settings: await startCeph(folder, inject('s3Owner')), folder };
  }
  return (
    `harness/ceph install (missing: ${missing}), or set ISYNC_TEST_S3_ENDPOINT, ` +
    'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to those of a server for tests'
  );
}

class Server implements S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
  readonly env: Readonly<Record<string, string>>;
  readonly client: S3Client;
  readonly #folder: string | undefined;
  readonly #buckets: string[] = [];

  constructor({ settings, folder }: Found) {
    this.#folder = folder;
    const access = accessFrom(settings);
    ({ endpoint: this.endpoint, region: this.region, credentials: this.credentials } = access);
    this.env = environmentOf(this.credentials, this.region);
    this.client = clientFor(access);
  }

  async makeBucket(): Promise<string> {
    const name = `isync-test-${randomBytes(6).toString('hex')}`;
    await this.client.send(new CreateBucketCommand({ Bucket: name }));
    this.#buckets.push(name);
    return name;
  }

  async stranger(): Promise<S3Credentials | undefined> {
    return this.#folder === undefined ? undefined : credentialsOf(await cephUser(this.#folder, 'stranger'));
  }

  async guest(): Promise<S3Guest | undefined> {
    const folder = this.#folder;
    if (folder === undefined) return undefined;
    const name = `guest-${randomBytes(6).toString('hex')}`;
    const credentials = credentialsOf(await cephUser(folder, name));
    return {
      credentials,
      revoke: async () => await revokeCephKey(folder, name, credentials),
      giveBack: async () => await giveCephKey(folder, name, credentials),
    };
  }

  /** A Ceph of our own goes as a whole; that costs nothing. */
  async removeBuckets(): Promise<void> {
    if (this.#folder === undefined) for (const name of this.#buckets) await this.#removeBucket(name);
    this.client.destroy();
  }

  async #removeBucket(Bucket: string): Promise<void> {
    for (;;) {
      const { Contents = [] } = await this.client.send(new ListObjectsV2Command({ Bucket }));
      const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ Bucket }));
      if (Contents.length === 0 && Uploads.length === 0) break;
      for (const { Key } of Contents) await this.client.send(new DeleteObjectCommand({ Bucket, Key }));
      for (const { Key, UploadId } of Uploads)
        await this.client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
    await this.client.send(new DeleteBucketCommand({ Bucket }));
  }
}
