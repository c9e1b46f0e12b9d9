import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { cephRecord } from '../harness/ceph-record.ts';
import { startCli } from '../harness/cli.ts';
import { filesBelow, sameContent } from '../harness/data-tree.ts';
import type { SqsServer, TestQueue } from '../harness/sqs-server.ts';
import { timed } from './competitors.ts';
import type { Competitor } from './contest.ts';
import { MIB, type DataSet } from './data.ts';
import { runProgram } from './process.ts';
import { findTool, rcloneEnvironment } from './s3-tools.ts';
import type { Bench } from './bench.ts';
import type { BenchBucket } from './s3-server.ts';

/** Begins the keys of all objects. */
export const PREFIX = 'data/';
/** As `aws s3 cp` puts objects from this size on. */
const PART_BYTES = 8 * MIB;
const AT_ONCE = 32;

/** Puts all files of `data` into the bucket, as the AWS CLI would. */
export async function fillBucket(bucket: BenchBucket, { root }: DataSet): Promise<void> {
  const left = [...(await filesBelow(root)).entries()];
  const work = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [path, { size }] = next;
      const object = { Bucket: bucket.name, Key: PREFIX + path };
      if (size > PART_BYTES) await putInParts(bucket.client, object, join(root, path), size);
      else
        await bucket.client.send(new PutObjectCommand({ ...object, Body: readFileSync(join(root, path)) }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** `isync pull` from a queue that has a message for each object, from its start until the last one is done. */
export function isyncPull(bucket: BenchBucket, sqs: SqsServer): Competitor {
  return pullBeside([], bucket, sqs);
}

/** The same with other messages evenly among these. Ends once all objects are here: what fails is tried again for seconds. */
export function pullBeside(beside: readonly string[], bucket: BenchBucket, sqs: SqsServer): Competitor {
  return {
    async run(data, store) {
      const queue = await sqs.makeQueue();
      const keys = [...(await filesBelow(data.root)).keys()].map((path) => PREFIX + path);
      const messages = keys.map((key) => createdMessage(bucket, key));
      await queue.send(evenly(messages, beside));
      const config = await writeConfig(store, bucket, sqs, queue);
      let seconds = NaN;
      const took = await timed(
        () => bucket.cpu(),
        async () => {
          const started = performance.now();
          await using pull = startCli(['pull', '--config', config], { env: bucket.env });
          const copy = join(store, 'copy');
          const last = join(copy, keys.at(-1)?.slice(PREFIX.length) ?? '');
          // A look at the queue takes milliseconds of the processor that is measured: none before there is something to see.
          const isHere = async () =>
            existsSync(last) &&
            (await messagesIn(sqs, queue)) <= beside.length &&
            namesBelow(copy) >= keys.length;
          await pull.until('all objects', isHere);
          seconds = (performance.now() - started) / 1000;
          await pull.until('all messages', async () => (await messagesIn(sqs, queue)) === 0);
          const { exitCode, stderr } = await pull.stop('SIGTERM');
          if (exitCode !== 0) throw new Error(`isync pull ended with ${exitCode}: ${stderr.slice(-2000)}`);
          return { check: async () => await checkFiles(data, copy) };
        },
      );
      return { ...took, seconds };
    },
  };
}

/** The message of a store about a new object. */
export function createdMessage({ name }: Pick<BenchBucket, 'name'>, key: string): string {
  return cephRecord({ event: 'ObjectCreated:Put', bucket: name, key });
}

/** All of `many`, in their order, with one of `few` behind as many of them each time. */
function evenly(many: readonly string[], few: readonly string[]): readonly string[] {
  const each = Math.max(1, Math.floor(many.length / few.length));
  return many.flatMap((one, index) =>
    index % each === 0 ? [one, ...few.slice(index / each, index / each + 1)] : [one],
  );
}

/** Also for a case of its own: the config of a pull into `FOLDER/copy`. */
export async function writeConfig(
  folder: string,
  bucket: Pick<BenchBucket, 'endpoint' | 'name'>,
  sqs: Pick<SqsServer, 'endpoint' | 'region'>,
  queue: TestQueue,
): Promise<string> {
  const config = join(await mkdtemp(join(folder, '.pull-')), 'pull.yaml');
  await writeFile(
    config,
    JSON.stringify({
      queue: queue.name,
      region: sqs.region,
      sqsEndpoint: sqs.endpoint,
      s3Endpoint: bucket.endpoint,
      buckets: [bucket.name],
      sync: { [PREFIX]: join(folder, 'copy') },
    }),
  );
  return config;
}

/** `aws s3 cp --recursive`. */
export async function awsDownload(
  bench: Bench,
  bucket: BenchBucket,
  name: string,
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'aws', ['--version']);
  if (found === undefined) return {};
  const args = ['--endpoint-url', bucket.endpoint, 's3', 'cp', '--recursive', '--only-show-errors'];
  return {
    [name]: download(bucket, async (copy) => {
      await runProgram(found, [...args, `s3://${bucket.name}/${PREFIX}`, copy], bucket.env);
    }),
  };
}

/** `rclone copy` with the flags in `name`. */
export async function rcloneDownload(
  bench: Bench,
  bucket: BenchBucket,
  name: string,
): Promise<Record<string, Competitor>> {
  const found = await findTool(bench, 'rclone', ['version']);
  if (found === undefined) return {};
  const flags = name.split(' ').slice(1);
  return {
    [name]: download(bucket, async (copy) => {
      await runProgram(found, [...flags, `bench:${bucket.name}/${PREFIX}`, copy], rcloneEnvironment(bucket));
    }),
  };
}

function download(bucket: BenchBucket, copy: (to: string) => Promise<void>): Competitor {
  return {
    run: async (data, store) =>
      await timed(
        () => bucket.cpu(),
        async () => {
          const to = join(store, 'copy');
          await copy(to);
          return { check: async () => await checkFiles(data, to) };
        },
      ),
  };
}

async function messagesIn({ client }: SqsServer, { url }: TestQueue): Promise<number> {
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...names] }),
  );
  return names.reduce((sum, name) => sum + Number(Attributes?.[name]), 0);
}

/** Files of the bucket's own: those that isync keeps beside them are not counted. */
function namesBelow(folder: string): number {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true });
  return all.filter((each) => each.isFile() && !each.parentPath.includes('/.isync')).length;
}

async function checkFiles({ root }: DataSet, copy: string): Promise<void> {
  for (const path of (await filesBelow(root)).keys())
    if (!(await sameContent(join(root, path), join(copy, path))))
      throw new Error(`${path}: missing in ${copy}, or other bytes`);
}

async function putInParts(
  client: S3Client,
  object: { readonly Bucket: string; readonly Key: string },
  path: string,
  size: number,
): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
  const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
  await using file = await open(path);
  for (let start = 0; start < size; start += PART_BYTES) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PART_BYTES), 0, PART_BYTES, start);
    const part = { ...object, UploadId, PartNumber: Parts.length + 1, Body: buffer.subarray(0, bytesRead) };
    const { ETag } = await client.send(new UploadPartCommand(part));
    Parts.push({ PartNumber: part.PartNumber, ETag });
  }
  await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
}
