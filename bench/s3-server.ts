import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { keeperOfCeph, missingForCeph, startCeph, stopCeph } from '../harness/ceph.ts';
import { accessFrom, clientFor, environmentOf, type S3Access } from '../harness/s3-access.ts';
import { readBack, digestOfFile } from '../harness/s3-objects.ts';
import { filesBelow } from '../harness/data-tree.ts';
import type { Bench } from './bench.ts';
import type { DataSet } from './data.ts';
import { cpuOfChildren } from './process.ts';

/** Objects read back at a time. */
const READS_AT_ONCE = 16;

/** A bucket of our own on a server that is nobody else's meanwhile. */
export interface BenchBucket extends S3Access, AsyncDisposable {
  readonly client: S3Client;
  readonly name: string;
  /** With which processes reach it. */
  readonly env: Readonly<Record<string, string>>;
  /** CPU seconds that the server's processes have used so far; NaN where it is not ours. */
  cpu(): number;
  /**
   * Rejects unless just the files of `data` are kept below `prefix`; `thorough` reads them back and compares their bytes
   * too.
   */
  check(data: DataSet, prefix: string, thorough: boolean): Promise<void>;
}

/**
 * The server that the environment names as for tests, or Ceph, started in `folder`; undefined, and said so, where there
 * is neither.
 */
export async function startBucket(bench: Bench, folder: string): Promise<BenchBucket | undefined> {
  if (process.env['ISYNC_TEST_S3_ENDPOINT'] !== undefined)
    return await makeBucket(process.env, NaN, async () => {});
  const missing = missingForCeph();
  if (missing !== undefined) {
    bench.say(`!!! NOTHING ON S3 IS MEASURED: no Ceph ('harness/ceph install'; missing: ${missing})`);
    return undefined;
  }
  const server = join(folder, 'ceph');
  await mkdir(server);
  const stop = async (): Promise<void> => stopCeph(server);
  try {
    return await makeBucket(await startCeph(server, process.pid), keeperOfCeph(server), stop);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

async function makeBucket(
  settings: Readonly<Record<string, string | undefined>>,
  keeper: number,
  stop: () => Promise<void>,
): Promise<BenchBucket> {
  const access = accessFrom(settings);
  const client = clientFor(access);
  const name = `isync-bench-${Date.now()}`;
  await client.send(new CreateBucketCommand({ Bucket: name }));
  await warmUp(client, name);
  return {
    ...access,
    client,
    name,
    env: environmentOf(access.credentials, access.region),
    cpu: () => (Number.isNaN(keeper) ? NaN : cpuOfChildren(keeper)),
    check: async (data, prefix, thorough) => await checkObjects(client, name, data, prefix, thorough),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      await stop();
    },
  };
}

/** Ceph makes its pools, which takes seconds, when the first object and the first upload need them. */
async function warmUp(client: S3Client, Bucket: string): Promise<void> {
  const object = { Bucket, Key: 'first' };
  await client.send(new PutObjectCommand({ ...object, Body: Buffer.alloc(1) }));
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
  await client.send(new AbortMultipartUploadCommand({ ...object, UploadId }));
}

/** Rejects unless just the files of `data` are kept below `prefix` of a bucket, beside what isync keeps there for itself. */
export async function checkObjects(
  client: S3Client,
  bucket: string,
  { root }: DataSet,
  prefix: string,
  thorough: boolean,
): Promise<void> {
  const kept = new Map<string, number>();
  for await (const { Contents } of paginateListObjectsV2(
    { client },
    { Bucket: bucket, Prefix: `${prefix}/` },
  ))
    for (const { Key = '', Size = 0 } of Contents ?? []) kept.set(Key.slice(prefix.length + 1), Size);
  const faults: string[] = [];
  for (const key of kept.keys()) if (key.startsWith('.isync/')) kept.delete(key);
  const files = [...(await filesBelow(root))].filter(([path]) => !path.endsWith('/finished.watch'));
  for (const [path, { size }] of files)
    if (kept.get(path) !== size) faults.push(`${path}: ${kept.get(path) ?? 'no'} bytes instead of ${size}`);
  if (kept.size !== files.length) faults.push(`${kept.size} objects instead of ${files.length}`);
  if (thorough && faults.length === 0) {
    const left = files.map(([path]) => path);
    const compare = async (): Promise<void> => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) {
        const [there, here] = [
          await readBack({ client }, bucket, `${prefix}/${path}`),
          await digestOfFile(join(root, path)),
        ];
        if (there.sha256 !== here.sha256) faults.push(`${path}: different bytes`);
      }
    };
    await Promise.all(Array.from({ length: READS_AT_ONCE }, compare));
  }
  if (faults.length > 0)
    throw new Error(
      `s3://${bucket}/${prefix}: ${faults.slice(0, 3).join(', ')}, ${faults.length} faults in all`,
    );
}
