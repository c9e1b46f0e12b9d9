import { CopyObjectCommand, UploadPartCopyCommand } from '@aws-sdk/client-s3';
import { Limiter } from '../flow/limiter.ts';
import { IsyncError } from '../model/isync-error.ts';
import { bare, quoted } from './answers.ts';
import { abortUpload, completeUpload, MAX_PARTS, startUpload, type UploadKey } from './multipart.ts';
import { type ObjectAttributes, type ObjectSettings, toInput } from './object-attributes.ts';
import type { ObjectHead } from './content.ts';
import { headObject, type Stored } from './objects.ts';
import { quickCopy } from './quick/copy.ts';
import type { Bucket, RequestOptions } from './requests.ts';

/** Largest object that one request copies, in bytes. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const MOST_AT_ONCE_BYTES = 5 * 1024 ** 3;
/** Part of a larger one, in bytes: {@link MAX_PARTS} of these are the largest object that there is. */
const PART_BYTES = 512 * 1024 ** 2;
/** Parts copied at a time: the server does the work, so a few keep it busy. */
const PARTS_AT_ONCE = 4;

/** Where an object is, or is to be. */
export interface Place {
  readonly bucket: Bucket;
  readonly key: string;
}

export interface CopyOptions extends RequestOptions {
  /** What the copy shall be like; what is left out is the default of the target's bucket. */
  readonly settings?: ObjectSettings | undefined;
  /** What the copy has instead of the source's user metadata and content headers. */
  readonly attributes?: CopyAttributes | undefined;
  /** The id of the account that must own the source's bucket. */
  readonly sourceOwner?: string | undefined;
  /** Agrees to pay for reading the source. */
  readonly requestPayer?: boolean | undefined;
  /** Asks for a copy without the SDK first (quick/): for many small objects. Default false. */
  readonly isQuick?: boolean | undefined;
  /** Largest object that is copied by one request, in bytes. Default 5 GiB. */
  readonly mostAtOnceBytes?: number | undefined;
  /** Bytes of a part of a larger one, at least 5 MiB. Default 512 MiB. */
  readonly partBytes?: number | undefined;
}

export type CopyAttributes = Required<Pick<ObjectAttributes, 'metadata' | 'headers'>>;

/** What the server has made of a copy. */
export interface Copied extends Stored {
  /** When, by the server's clock, in ms since the epoch; undefined where it does not tell. */
  readonly madeMs: number | undefined;
}

/** The version that is copied. */
export type CopiedVersion = Pick<ObjectHead, 'size' | 'etag' | 'metadata' | 'headers'>;

/** Copies an object as it is now: see {@link copyVersion}. Resolves to undefined where there is no such object. */
export async function copyObject(
  from: Place,
  to: Place,
  options: CopyOptions = {},
): Promise<Stored | undefined> {
  const head = await headObject(from.bucket, from.key, requestOf(options));
  return head && (await copyVersion(from, to, head, options));
}

/**
 * Copies one version of an object within its server, which must let the target's credentials read the source. The copy has the
 * bytes, the user metadata and the content headers (type, encoding, language, disposition, cache control) of that version. Tags
 * come along only where one request copies the object.
 *
 * Rejects with FILE_CHANGED where that version is no longer the object. A copy in parts that fails leaves nothing behind.
 */
export async function copyVersion(
  from: Place,
  to: Place,
  version: CopiedVersion,
  options: CopyOptions = {},
): Promise<Stored> {
  const { mostAtOnceBytes = MOST_AT_ONCE_BYTES } = options;
  const copy = version.size > mostAtOnceBytes ? copyInParts : copyAtOnce;
  return await copy(from, to, version, options);
}

/**
 * The same with an object as it is when the server comes to it, of at most 5 GiB: one request. Resolves to undefined where there
 * is none.
 */
export async function copyPresent(
  from: Place,
  to: Place,
  options: CopyOptions = {},
): Promise<Copied | undefined> {
  return await sendCopy(from, to, undefined, options);
}

async function copyAtOnce(
  from: Place,
  to: Place,
  { etag }: CopiedVersion,
  options: CopyOptions,
): Promise<Stored> {
  const copied = await sendCopy(from, to, etag, options);
  if (copied === undefined) throw replaced(options);
  return copied;
}

async function sendCopy(
  from: Place,
  to: Place,
  etag: string | undefined,
  options: CopyOptions,
): Promise<Copied | undefined> {
  const { settings = {}, attributes } = options;
  const command = new CopyObjectCommand({
    Bucket: to.bucket.name,
    Key: to.key,
    CopySourceIfMatch: quoted(etag),
    ...sourceInput(from, options),
    ...toInput({ ...settings, ...attributes }),
    ...(attributes !== undefined && { MetadataDirective: 'REPLACE' as const }),
    ...(settings.tags !== undefined && { TaggingDirective: 'REPLACE' as const }),
  });
  return await to.bucket.sendUnlessAbsent(options, async (client, sending) => {
    // What the copy has instead is seldom new.
    const isQuick = options.isQuick === true && attributes === undefined && settings.tags === undefined;
    const given = {
      bucket: to.bucket.name,
      key: to.key,
      settings,
      headers: sourceHeaders(from, etag, options),
    };
    const quick = isQuick ? await quickCopy(client, given, sending?.abortSignal) : undefined;
    const { ETag, LastModified } = quick ?? (await client.send(command, sending)).CopyObjectResult ?? {};
    return { etag: bare(ETag), madeMs: LastModified?.getTime() };
  });
}

async function copyInParts(
  from: Place,
  to: Place,
  version: CopiedVersion,
  options: CopyOptions,
): Promise<Stored> {
  const { metadata, headers } = options.attributes ?? version;
  const upload = await startUpload(to.bucket, to.key, { ...options.settings, metadata, headers }, options);
  try {
    const etags = await copyParts(from, to.bucket, upload, version, options);
    // Not every server heeds the condition of each part.
    const now = await headObject(from.bucket, from.key, requestOf(options));
    if (now?.etag !== version.etag) throw replaced(options);
    await completeUpload(to.bucket, upload, etags, options);
    return await copied(to, version, options);
  } catch (error) {
    // Without the signal, which may have fired.
    await abortUpload(to.bucket, upload).catch(() => {
      // Why the copy failed is what counts; the upload is collected one day.
    });
    throw error;
  }
}

/** Resolves to the ETags of all parts, in their order. */
async function copyParts(
  from: Place,
  bucket: Bucket,
  upload: UploadKey,
  { size, etag }: CopiedVersion,
  options: CopyOptions,
): Promise<string[]> {
  const partBytes = Math.max(options.partBytes ?? PART_BYTES, Math.ceil(size / MAX_PARTS));
  const limiter = new Limiter(PARTS_AT_ONCE);
  // The first failure ends them all.
  const failed = new AbortController();
  const copyPart = async (index: number): Promise<string> => {
    failed.signal.throwIfAborted();
    const command = new UploadPartCopyCommand({
      Bucket: bucket.name,
      Key: upload.key,
      UploadId: upload.uploadId,
      PartNumber: index + 1,
      ...sourceInput(from, options),
      CopySourceIfMatch: quoted(etag),
      CopySourceRange: `bytes=${index * partBytes}-${Math.min(size, (index + 1) * partBytes) - 1}`,
    });
    const copied = await bucket.sendUnlessAbsent(options, (client, sending) => client.send(command, sending));
    if (copied !== undefined) return bare(copied.CopyPartResult?.ETag);
    throw replaced(options);
  };
  const parts = Array.from({ length: Math.ceil(size / partBytes) }, (_, index) =>
    limiter
      .run(() => copyPart(index))
      .catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
  );
  const settled = await Promise.allSettled(parts);
  failed.signal.throwIfAborted();
  return settled.map((part) => (part.status === 'fulfilled' ? part.value : ''));
}

/** What the server has made of the parts; not every server tells it when it completes them. */
async function copied(to: Place, { size }: CopiedVersion, options: CopyOptions): Promise<Stored> {
  const head = await headObject(to.bucket, to.key, requestOf(options));
  if (head?.size === size) return head;
  const message = `${head?.size ?? 'no'} bytes are kept where ${size} were copied`;
  throw new IsyncError('STORE_FAILED', message, { retryable: true, ...pathOf(options) });
}

function replaced(options: CopyOptions): IsyncError {
  const message = 'the object was replaced or removed while it was copied';
  return new IsyncError('FILE_CHANGED', message, { retryable: true, ...pathOf(options) });
}

function requestOf({ signal, path }: RequestOptions): RequestOptions {
  return { signal, path };
}

function pathOf({ path }: RequestOptions) {
  return path === undefined ? {} : { path };
}

function sourceInput(from: Place, { sourceOwner, requestPayer }: CopyOptions) {
  return {
    CopySource: sourceOf(from),
    ...(sourceOwner !== undefined && { ExpectedSourceBucketOwner: sourceOwner }),
    ...(requestPayer === true && { RequestPayer: 'requester' as const }),
  };
}

/** The same as headers. */
function sourceHeaders(from: Place, etag: string | undefined, { sourceOwner, requestPayer }: CopyOptions) {
  return {
    'x-amz-copy-source': sourceOf(from),
    'x-amz-copy-source-if-match': quoted(etag),
    'x-amz-source-expected-bucket-owner': sourceOwner,
    'x-amz-request-payer': requestPayer === true ? 'requester' : undefined,
  };
}

/** As the header `x-amz-copy-source` names it. */
function sourceOf({ bucket, key }: Place): string {
  return `${bucket.name}/${key.split('/').map(encodeURIComponent).join('/')}`;
}
