import { GetObjectCommand, HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { IsyncError } from '../model/isync-error.ts';
import { quoted } from './answers.ts';
import { type GetAnswer, headOf, type ObjectContent, type ObjectHead, openContent } from './content.ts';
import { statusOf } from './errors.ts';
import { quickGet } from './quick/get.ts';
import { quickHead } from './quick/head.ts';
import { quickRange } from './quick/range.ts';
import { quickReadsOf } from './quick/reads.ts';
import type { WholeSizes } from './quick/whole.ts';
import type { Bucket, RequestOptions } from './requests.ts';
import { checkIsStores } from './stores-answer.ts';

/** One request that tells how a key is now. */

export interface LookOptions extends RequestOptions {
  /** Of the version that is here already: its bytes are not sent again. Without quotes. */
  readonly ifNoneMatch?: string | undefined;
  /** The id of the account that must own the bucket: else S3 refuses. */
  readonly bucketOwner?: string | undefined;
  /** Agrees to pay for the request, which some buckets ask for. */
  readonly requestPayer?: boolean | undefined;
  /** Asks for the bytes without the SDK first (quick/): for many small objects. Default false. */
  readonly isQuick?: boolean | undefined;
  /** With `isQuick`: which objects are taken into memory at once, and of which no bytes need come. Default: all come as a stream. */
  readonly sizes?: WholeSizes | undefined;
}

export interface RangeOptions extends Omit<LookOptions, 'ifNoneMatch' | 'isQuick' | 'sizes'> {
  /** Rejects with FILE_CHANGED unless the object has this ETag. */
  readonly ifMatch: string;
  readonly start: number;
  /** The first byte that is not wanted any more. */
  readonly end: number;
}

/** What an object is like, and what there is to check its bytes with. */
export interface ObjectFacts extends ObjectHead {
  readonly versionId: string | undefined;
  /** `AES256`, `aws:kms`…; undefined where the server tells none. */
  readonly encryption: string | undefined;
  /** Whether it is encrypted with a key that the request brought. */
  readonly hasCustomerKey: boolean;
  readonly storageClass: string | undefined;
  /** Of all bytes, base64; none for an object whose parts alone have some. */
  readonly checksums: Checksums;
  /** Tags that the server tells of; 0 also where it tells nothing. */
  readonly tagCount: number;
}

export interface LookedAt extends ObjectFacts, ObjectContent {}

export const CHECKSUMS = ['CRC64NVME', 'CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const;
export type ChecksumName = (typeof CHECKSUMS)[number];
export type Checksums = Readonly<Partial<Record<ChecksumName, string>>>;

/**
 * The object as it is now, and its bytes; 'same' where it is the version that is here already. Every other answer is a
 * rejection: refusals.ts tells what it says of the object. The SDK checks bytes that are read to their end against a checksum
 * of the object, where the server has one (DIGEST_MISMATCH).
 */
export async function lookAtObject(
  bucket: Bucket,
  key: string,
  options: LookOptions = {},
): Promise<LookedAt | 'same'> {
  const command = new GetObjectCommand({
    ...inputOf(bucket, key, options),
    IfNoneMatch: quoted(options.ifNoneMatch),
    ChecksumMode: 'ENABLED',
  });
  const found = await openContent(bucket, options, () =>
    bucket.send(options, async (client, sending) => {
      try {
        const where = { bucket: bucket.name, key };
        const quick =
          options.isQuick === true
            ? await quickGet(client, where, headersOf(options), sending?.abortSignal, options.sizes)
            : undefined;
        return quick ?? (await client.send(command, sending));
      } catch (error) {
        if (statusOf(error) === 304) return 'same';
        throw error;
      }
    }),
  );
  if (found === 'same') return 'same';
  const { answer, content } = found;
  try {
    await checkIsStores(bucket, answer, options);
    return { ...factsIn(answer), ...content };
  } catch (error) {
    content[Symbol.dispose]();
    throw error;
  }
}

/**
 * The object as it is now, without its bytes. Every other answer is a rejection. Unlike that of a GET, the answer to a HEAD has
 * no body that could tell why there is no object: {@link lookAtObject} tells that.
 */
export async function lookAtHead(
  bucket: Bucket,
  key: string,
  options: Omit<LookOptions, 'ifNoneMatch'> = {},
): Promise<ObjectFacts> {
  const input = inputOf(bucket, key, options);
  const answer = await bucket.send(options, async (client, sending) => {
    const quick = await quickHead(
      client,
      { bucket: bucket.name, key },
      headersOf(options),
      sending?.abortSignal,
    );
    if (quick === 'absent') throw notFound();
    return (
      quick ?? (await client.send(new HeadObjectCommand({ ...input, ChecksumMode: 'ENABLED' }), sending))
    );
  });
  await checkIsStores(bucket, answer, options);
  return factsIn(answer);
}

/** Bytes `start` to `end` of just one version, all of which the object must have. */
export async function getRange(bucket: Bucket, key: string, options: RangeOptions): Promise<ObjectContent> {
  const command = new GetObjectCommand({
    ...inputOf(bucket, key, options),
    IfMatch: quoted(options.ifMatch),
    Range: `bytes=${options.start}-${options.end - 1}`,
  });
  const { content } = await openContent<never>(bucket, options, () =>
    bucket.send(options, (client, sending) => client.send(command, sending)),
  );
  if (content.etag === '' || content.etag === options.ifMatch) return content;
  content[Symbol.dispose]();
  // Not every server heeds a condition.
  throw new IsyncError('FILE_CHANGED', 'the object was replaced meanwhile', { retryable: true });
}

/**
 * The same bytes, into the beginning of `into`, which is nobody else's until this has settled. Without the SDK first (quick/).
 * @param passed told of the bytes that went through memory of their own
 */
export async function readRange(
  bucket: Bucket,
  key: string,
  into: Uint8Array,
  options: RangeOptions,
  passed?: (bytes: number) => void,
): Promise<void> {
  if (await readQuickly(bucket, key, into, options)) return;
  const { start, end } = options;
  let filled = 0;
  using content = await getRange(bucket, key, options);
  for await (const bytes of content.bytes) {
    if (filled + bytes.length > end - start) throw otherRange(start, end);
    into.set(bytes, filled);
    filled += bytes.length;
    passed?.(bytes.length);
  }
  if (filled !== end - start) throw otherRange(start, end);
}

async function readQuickly(
  bucket: Bucket,
  key: string,
  into: Uint8Array,
  options: RangeOptions,
): Promise<boolean> {
  const { start, end, ifMatch } = options;
  const range = { bucket: bucket.name, key, start, end, etag: ifMatch, headers: accountHeaders(options) };
  return await bucket.reads.run(async () => {
    const coming = await bucket.send(options, async (client, sending) => {
      const reads = quickReadsOf(client);
      return reads && (await quickRange(reads, range, into, sending?.abortSignal));
    });
    if (coming === undefined) return false;
    await bucket.guard(options, () => coming.full);
    return true;
  });
}

function otherRange(start: number, end: number): IsyncError {
  return new IsyncError('STORE_FAILED', `the object store gives other bytes than ${start} to ${end}`, {
    retryable: true,
  });
}

function headersOf(options: LookOptions): Readonly<Record<string, string>> {
  const condition = quoted(options.ifNoneMatch);
  return {
    'x-amz-checksum-mode': 'ENABLED',
    ...(condition !== undefined && { 'if-none-match': condition }),
    ...accountHeaders(options),
  };
}

/** Names in lower case. */
export function accountHeaders({
  bucketOwner,
  requestPayer,
}: Pick<LookOptions, 'bucketOwner' | 'requestPayer'>): Readonly<Record<string, string>> {
  return {
    ...(bucketOwner !== undefined && { 'x-amz-expected-bucket-owner': bucketOwner }),
    ...(requestPayer === true && { 'x-amz-request-payer': 'requester' }),
  };
}

/** As the SDK makes one of a 404 that has no body. */
function notFound(): Error {
  return Object.assign(new Error('UnknownError'), { name: 'NotFound', $metadata: { httpStatusCode: 404 } });
}

function inputOf(bucket: Bucket, key: string, { bucketOwner, requestPayer }: LookOptions) {
  return {
    Bucket: bucket.name,
    Key: key,
    ...(bucketOwner !== undefined && { ExpectedBucketOwner: bucketOwner }),
    ...(requestPayer === true && { RequestPayer: 'requester' as const }),
  };
}

/**
 * Whether the ETag is the MD5 of the bytes: not of multipart uploads, nor of objects under keys of KMS or of customers, nor in
 * directory buckets. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
 */
export function hasMd5({ etag, encryption, hasCustomerKey, storageClass }: ObjectFacts): boolean {
  if (!/^[0-9a-f]{32}$/.test(etag) || hasCustomerKey || storageClass === 'EXPRESS_ONEZONE') return false;
  return encryption === undefined || encryption === 'AES256';
}

type Answer = GetAnswer | HeadObjectCommandOutput;

function factsIn(answer: Answer): ObjectFacts {
  return {
    ...headOf(answer),
    versionId: answer.VersionId,
    encryption: answer.ServerSideEncryption,
    hasCustomerKey: answer.SSECustomerAlgorithm !== undefined,
    storageClass: answer.StorageClass,
    checksums: checksumsIn(answer),
    tagCount: answer.TagCount ?? 0,
  };
}

function checksumsIn(answer: Answer): Checksums {
  if (answer.ChecksumType === 'COMPOSITE') return {};
  const found: Partial<Record<ChecksumName, string>> = {};
  for (const name of CHECKSUMS) {
    const value = answer[`Checksum${name}`];
    // "-4" at the end: a checksum of the checksums of four parts.
    if (value !== undefined && !value.includes('-')) found[name] = value;
  }
  return found;
}
