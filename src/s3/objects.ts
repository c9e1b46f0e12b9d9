import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { bare, decodeKey, quoted } from './answers.ts';
import { headOf, type ObjectContent, type ObjectHead, openContent } from './content.ts';
import { foreignAnswer, isInvalidRange, statusOf } from './errors.ts';
import { type ObjectAttributes, toInput } from './object-attributes.ts';
import { accountHeaders } from './look.ts';
import { quickHead } from './quick/head.ts';
import { quickList, type QuickPage } from './quick/list.ts';
import { quickPut } from './quick/put.ts';
import type { Bucket, RequestOptions } from './requests.ts';

/** Requests for single objects. A key is any text that S3 takes, and goes to the server just as it is. */

export interface HeadOptions extends RequestOptions {
  /** Rejects with FILE_CHANGED unless the object has this ETag. */
  readonly ifMatch?: string | undefined;
}

export interface GetOptions extends HeadOptions {
  /** The first byte that is wanted. Default 0. */
  readonly start?: number | undefined;
  /** The first byte that is not wanted any more, more than `start`. Default: all to the end. */
  readonly end?: number | undefined;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
  /** Without quotes. */
  readonly etag: string;
}

export interface ListOptions extends RequestOptions {
  /** Keys from behind this text on. Not every server heeds it. */
  readonly startAfter?: string | undefined;
  /** Most keys of one answer. Default, and where it is less: those of the bucket. */
  readonly pageKeys?: number | undefined;
  /** The id of the account that must own the bucket: else S3 refuses. */
  readonly bucketOwner?: string | undefined;
  /** Agrees to pay for the requests, which some buckets ask for. */
  readonly requestPayer?: boolean | undefined;
}

/** Bytes to be kept. */
export interface Body {
  readonly bytes: Uint8Array;
  /** MD5 of the bytes, base64: the server refuses what was damaged on its way. */
  readonly md5: string;
}

/** What the server has kept. */
export interface Stored {
  readonly etag: string;
}

/** Undefined where there is no such object. */
export async function headObject(
  bucket: Bucket,
  key: string,
  options: HeadOptions = {},
): Promise<ObjectHead | undefined> {
  const ifMatch = quoted(options.ifMatch);
  const found = await bucket.sendUnlessAbsent(options, async (client, sending) => {
    const where = { bucket: bucket.name, key };
    const headers: Record<string, string> = ifMatch === undefined ? {} : { 'if-match': ifMatch };
    const quick = await quickHead(client, where, headers, sending?.abortSignal);
    if (quick === 'absent') return undefined;
    return (
      quick ??
      (await client.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key, IfMatch: ifMatch }), sending))
    );
  });
  return found && headOf(found);
}

/**
 * An object and its bytes, or some of them; undefined where there is no such object. However long that takes, all bytes
 * are those of one version. No bytes come where the object ends before `start`.
 */
export async function getObject(
  bucket: Bucket,
  key: string,
  options: GetOptions = {},
): Promise<ObjectContent | undefined> {
  const { start = 0, end, ifMatch } = options;
  const command = new GetObjectCommand({
    Bucket: bucket.name,
    Key: key,
    IfMatch: quoted(ifMatch),
    ...((start > 0 || end !== undefined) && {
      Range: `bytes=${start}-${end === undefined ? '' : end - 1}`,
    }),
  });
  const found = await openContent<'beyond' | undefined>(bucket, options, () =>
    bucket.sendUnlessAbsent(options, async (client, sending) => {
      try {
        return await client.send(command, sending);
      } catch (error) {
        if (isInvalidRange(error)) return 'beyond';
        throw error;
      }
    }),
  );
  if (found === 'beyond') return await emptyContent(bucket, key, options);
  return found?.content;
}

/** Largest object that is put or copied without the SDK first, in bytes: of larger ones the request is the least that costs. */
export const MOST_QUICK_BYTES = 1024 * 1024;

export interface PutOptions extends RequestOptions {
  /** Puts it without the SDK first (quick/): for many small objects. Default false. */
  readonly isQuick?: boolean | undefined;
}

/** Puts a whole object, also over an earlier one. */
export async function putObject(
  bucket: Bucket,
  key: string,
  body: Body,
  attributes: ObjectAttributes = {},
  request: PutOptions = {},
): Promise<Stored> {
  return await bucket.send(request, async (client, sending) => {
    const given = { bucket: bucket.name, key, ...body, attributes, ifAbsent: false };
    const quick = request.isQuick === true && (await quickPut(client, given, sending?.abortSignal));
    if (typeof quick === 'object') return quick;
    const stored = await client.send(putCommand(bucket, key, body, attributes), sending);
    return { etag: bare(stored.ETag) };
  });
}

/**
 * Puts a whole object unless the key is in use. Of several that do so at a time one finds it free.
 * @returns 'unsupported' where the server does not know the condition; nothing was put then
 */
export async function putObjectIfAbsent(
  bucket: Bucket,
  key: string,
  body: Body,
  attributes: ObjectAttributes = {},
  request: PutOptions = {},
): Promise<Stored | 'in use' | 'unsupported'> {
  return bucket.send(request, async (client, sending) => {
    const given = { bucket: bucket.name, key, ...body, attributes, ifAbsent: true };
    const quick = request.isQuick === true && (await quickPut(client, given, sending?.abortSignal));
    if (quick !== false && quick !== undefined) return quick;
    try {
      const { ETag } = await client.send(putCommand(bucket, key, body, attributes, '*'), sending);
      return { etag: bare(ETag) };
    } catch (error) {
      const status = statusOf(error);
      // 409: another one is being put just now.
      if (status === 412 || status === 409) return 'in use';
      if (status === 400 || status === 501) return 'unsupported';
      throw error;
    }
  });
}

/** An object that is gone already is fine. */
export async function removeObject(bucket: Bucket, key: string, request: RequestOptions = {}): Promise<void> {
  const command = new DeleteObjectCommand({ Bucket: bucket.name, Key: key });
  await bucket.sendUnlessAbsent(request, (client, sending) => client.send(command, sending));
}

/** Every object whose key begins with `prefix`, in the server's order, a page at a time. */
export async function* listObjects(
  bucket: Bucket,
  prefix: string,
  request: ListOptions = {},
): AsyncGenerator<ListedObject> {
  const pageKeys = Math.min(bucket.page, request.pageKeys ?? bucket.page);
  const pages = bucket.pages(
    (mark?: { readonly token: string }) => {
      const startAfter = mark === undefined ? request.startAfter : undefined;
      const command = new ListObjectsV2Command({
        ...listInput(bucket, prefix, request),
        MaxKeys: pageKeys,
        ContinuationToken: mark?.token,
        StartAfter: startAfter,
        EncodingType: 'url',
      });
      const query = {
        prefix,
        'max-keys': String(pageKeys),
        'continuation-token': mark?.token,
        'start-after': startAfter,
        'encoding-type': 'url',
      };
      return bucket.send(request, async (client, sending) => {
        const headers = accountHeaders(request);
        const quick = await quickList(client, bucket.name, query, headers, sending?.abortSignal);
        return ofStore(quick ?? (await client.send(command, sending)));
      });
    },
    ({ IsTruncated, NextContinuationToken: token }) =>
      IsTruncated === true && token !== undefined ? { token } : undefined,
  );
  for await (const { Contents = [], EncodingType } of pages)
    for (const { Key, Size = 0, LastModified, ETag } of Contents)
      yield {
        key: decodeKey(Key, EncodingType),
        size: Size,
        modifiedMs: LastModified?.getTime() ?? 0,
        etag: bare(ETag),
      };
}

/** Rejects with why the keys below `prefix` can't be used, as far as a look tells. */
export async function checkListable(
  bucket: Bucket,
  prefix: string,
  request: ListOptions = {},
): Promise<void> {
  const command = new ListObjectsV2Command({ ...listInput(bucket, prefix, request), MaxKeys: 1 });
  await bucket.send(request, async (client, sending) => ofStore(await client.send(command, sending)));
}

/** Every store names the bucket, or says whether more follows. A page that happens to be XML would be a bucket without keys. */
function ofStore<Page extends QuickPage | ListObjectsV2CommandOutput>(page: Page): Page {
  if ('$metadata' in page && page.Name === undefined && page.IsTruncated === undefined)
    throw foreignAnswer(page);
  return page;
}

function listInput(bucket: Bucket, prefix: string, { bucketOwner, requestPayer }: ListOptions) {
  return {
    Bucket: bucket.name,
    Prefix: prefix,
    ...(bucketOwner !== undefined && { ExpectedBucketOwner: bucketOwner }),
    ...(requestPayer === true && { RequestPayer: 'requester' as const }),
  };
}

function putCommand(
  bucket: Bucket,
  key: string,
  { bytes, md5 }: Body,
  attributes: ObjectAttributes,
  ifNoneMatch?: '*',
): PutObjectCommand {
  return new PutObjectCommand({
    Bucket: bucket.name,
    Key: key,
    Body: bytes,
    ContentLength: bytes.length,
    ContentMD5: md5,
    IfNoneMatch: ifNoneMatch,
    ...toInput(attributes),
  });
}

async function emptyContent(
  bucket: Bucket,
  key: string,
  options: HeadOptions,
): Promise<ObjectContent | undefined> {
  const head = await headObject(bucket, key, options);
  return head && { ...head, bytes: Readable.from([]), [Symbol.dispose]: () => {} };
}
