import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { bare } from './answers.ts';
import { tellingBodySent } from './body-sent.ts';
import { conditionInput, type PutCondition } from './conditional-put.ts';
import { s3Error } from './errors.ts';
import { type ObjectAttributes, toInput } from './object-attributes.ts';
import type { Body, Stored } from './objects.ts';
import type { Bucket, RequestOptions } from './requests.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html; the last part may be smaller. */
export const MIN_PART_BYTES = 5 * 1024 * 1024;
/** Most parts of an upload. */
export const MAX_PARTS = 10_000;

/** A multipart upload, as the server knows it. */
export interface UploadKey {
  readonly key: string;
  readonly uploadId: string;
}

export interface PartBody extends Body {
  /**
   * Called when the body has been handed to the kernel whole; again for each try, and not where the server refuses
   * before that.
   */
  readonly sent?: (() => void) | undefined;
}

/** A part as the server lists it. */
export interface ListedPart {
  /** From 1. */
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  /** When it was put, in ms since the epoch. */
  readonly modifiedMs: number;
}

export interface ListedUpload extends UploadKey {
  /** In ms since the epoch. */
  readonly startedMs: number;
}

/** The object of an upload is given its attributes at the start. Resolves to the id of the upload. */
export async function startUpload(
  bucket: Bucket,
  key: string,
  attributes: ObjectAttributes = {},
  request: RequestOptions = {},
): Promise<UploadKey> {
  const command = new CreateMultipartUploadCommand({
    Bucket: bucket.name,
    Key: key,
    ...toInput(attributes),
  });
  const { UploadId } = await bucket.send(request, (client, sending) => client.send(command, sending));
  if (UploadId !== undefined) return { key, uploadId: UploadId };
  throw s3Error(Object.assign(new Error('an upload without an id'), { $metadata: {} }), bucket.where);
}

/** Puts the part `number` (from 1), also over an earlier one of that number. */
export async function putPart(
  bucket: Bucket,
  upload: UploadKey,
  number: number,
  { bytes, md5, sent }: PartBody,
  request: RequestOptions = {},
): Promise<Stored> {
  const command = new UploadPartCommand({
    ...inputOf(bucket, upload),
    PartNumber: number,
    Body: bytes,
    ContentLength: bytes.length,
    ContentMD5: md5,
  });
  const stored = await bucket.send(request, (client, sending) =>
    sent === undefined
      ? client.send(command, sending)
      : tellingBodySent(sent, () => client.send(command, sending)),
  );
  return { etag: bare(stored.ETag) };
}

/** The parts that the server has, in order of their numbers, a page at a time; none where there is no such upload. */
export async function* listParts(
  bucket: Bucket,
  upload: UploadKey,
  request: RequestOptions = {},
): AsyncGenerator<ListedPart> {
  for await (const page of partPages(bucket, upload, request)) yield* page ?? [];
}

/** All of them; undefined where there is no such upload. */
export async function partsOfUpload(
  bucket: Bucket,
  upload: UploadKey,
  request: RequestOptions = {},
): Promise<readonly ListedPart[] | undefined> {
  const parts: ListedPart[] = [];
  for await (const page of partPages(bucket, upload, request)) {
    if (page === undefined) return undefined;
    parts.push(...page);
  }
  return parts;
}

async function* partPages(
  bucket: Bucket,
  upload: UploadKey,
  request: RequestOptions,
): AsyncGenerator<readonly ListedPart[] | undefined> {
  const pages = bucket.pages(
    (mark?: { readonly after: string }) => {
      const command = new ListPartsCommand({
        ...inputOf(bucket, upload),
        MaxParts: bucket.page,
        PartNumberMarker: mark?.after,
      });
      return bucket.sendUnlessAbsent(request, (client, sending) => client.send(command, sending));
    },
    (page) =>
      page?.IsTruncated === true && page.NextPartNumberMarker !== undefined
        ? { after: page.NextPartNumberMarker }
        : undefined,
  );
  for await (const page of pages)
    yield (
      page &&
      (page.Parts ?? []).map(({ PartNumber = 0, Size = 0, ETag, LastModified }) => ({
        number: PartNumber,
        size: Size,
        etag: bare(ETag),
        modifiedMs: LastModified?.getTime() ?? Date.now(),
      }))
    );
}

/**
 * Makes the object of the parts from 1 on with just these ETags; a server that has others refuses. A rejection leaves
 * open whether it has been made, unless `isRefusal` says so.
 * @param condition not every server heeds it
 */
export async function completeUpload(
  bucket: Bucket,
  upload: UploadKey,
  etags: readonly string[],
  request: RequestOptions = {},
  condition?: PutCondition,
): Promise<void> {
  const command = new CompleteMultipartUploadCommand({
    ...inputOf(bucket, upload),
    MultipartUpload: { Parts: etags.map((etag, index) => ({ PartNumber: index + 1, ETag: `"${etag}"` })) },
    ...conditionInput(condition),
  });
  await bucket.send(request, (client, sending) => client.send(command, sending));
}

/** Throws an upload and its parts away; one that is gone already is fine. */
export async function abortUpload(
  bucket: Bucket,
  upload: UploadKey,
  request: RequestOptions = {},
): Promise<void> {
  const command = new AbortMultipartUploadCommand(inputOf(bucket, upload));
  await bucket.sendUnlessAbsent(request, (client, sending) => client.send(command, sending));
}

/**
 * Every multipart upload under way to a key that begins with `prefix`, a page at a time. Keys are not asked for in
 * another form here (see answers.ts), because some servers then do not say in which form they answer.
 */
export async function* listUploads(
  bucket: Bucket,
  prefix: string,
  request: RequestOptions = {},
): AsyncGenerator<ListedUpload> {
  const pages = bucket.pages(
    (mark?: { readonly key: string; readonly uploadId: string | undefined }) => {
      const command = new ListMultipartUploadsCommand({
        Bucket: bucket.name,
        Prefix: prefix,
        MaxUploads: bucket.page,
        KeyMarker: mark?.key,
        UploadIdMarker: mark?.uploadId,
      });
      return bucket.send(request, (client, sending) => client.send(command, sending));
    },
    ({ IsTruncated, NextKeyMarker: key, NextUploadIdMarker: uploadId }) =>
      IsTruncated === true && key !== undefined ? { key, uploadId } : undefined,
  );
  for await (const { Uploads = [] } of pages)
    for (const { Key = '', UploadId, Initiated } of Uploads)
      if (UploadId !== undefined)
        yield { key: Key, uploadId: UploadId, startedMs: Initiated?.getTime() ?? Date.now() };
}

function inputOf(bucket: Bucket, { key, uploadId }: UploadKey) {
  return { Bucket: bucket.name, Key: key, UploadId: uploadId };
}
