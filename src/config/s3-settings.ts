import type { z } from 'zod';
import { listOf, one, oneOf } from './fields.ts';
import { badValue, parseBoolean, parseBytes } from './values.ts';

/** In bytes: one part fills while another one travels; see src/store/s3/part-plan.ts. */
const LEAST_PART_MEMORY = 16 * 1024 * 1024;

export const endpoint = one(parseEndpoint);
export const region = one(parseRegion);
export const pathStyle = one(parseBoolean);
export const profile = one(parseProfile);
export const storageClass = one(parseStorageClass);
export const sse = oneOf('AES256', 'aws:kms');
export const sseKmsKeyId = one(parseKeyId);
/** Bytes. */
export const partMemory = one((text) => parseBytes(text, LEAST_PART_MEMORY));
/** By key; undefined unless there is one. */
export const tags = listOf(parseTags);

/** How to reach an s3:// address. Credentials are the AWS SDK's matter, or stand in `stores:`. */
export const s3Access = {
  s3Endpoint: endpoint.optional(),
  s3Region: region.optional(),
  /** Where undefined: on with an endpoint, else off. */
  s3PathStyle: pathStyle.optional(),
  s3Profile: profile.optional(),
};

/** The same, and what to write there. */
export const s3Settings = {
  ...s3Access,
  s3StorageClass: storageClass.optional(),
  s3Sse: sse.optional(),
  s3SseKmsKeyId: sseKmsKeyId.optional(),
  s3PartMemory: partMemory.optional(),
  s3Tag: tags,
};

export type S3Settings = z.output<z.ZodObject<typeof s3Settings>>;

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw badValue('is no URL like https://s3.example:8443');
  if (url.username !== '' || url.password !== '')
    throw badValue(
      'holds a user name or password; credentials come from the AWS environment, a profile or a role',
    );
  if (url.search !== '' || url.hash !== '')
    throw badValue('has a "?" or "#" part, which an endpoint has not');
  return url;
}

function parseRegion(text: string): string {
  if (!/^[a-z0-9-]{1,64}$/i.test(text)) throw badValue('is no region like eu-central-1');
  return text;
}

function parseProfile(text: string): string {
  if (!/^[^\s[\]]{1,128}$/.test(text)) throw badValue('is no name of a profile in ~/.aws/config');
  return text;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html; other servers have names of their own. */
function parseStorageClass(text: string): string {
  if (!/^[A-Z0-9_.-]{1,64}$/i.test(text)) throw badValue('is no storage class like STANDARD_IA');
  if (text === 'GLACIER' || text === 'DEEP_ARCHIVE')
    throw badValue(
      'can not be read back at once, so nothing could be verified; GLACIER_IR can, or let a lifecycle rule move objects later',
    );
  return text;
}

function parseKeyId(text: string): string {
  if (!/^[\w:/-]{1,2048}$/.test(text)) throw badValue('is no id, alias or ARN of a KMS key');
  return text;
}

/**
 * The tags that S3 takes for an object.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
 */
export const MAX_TAGS = 10;
const TAG = /^([\p{L}\p{N}\s+\-.:/@_]{1,128})=([\p{L}\p{N}\s+\-=.:/@_]{0,256})$/u;

/** The tag that the text `KEY=VALUE` is, parted at its first "="; undefined where S3 takes none such. */
export function tagIn(item: string): { readonly key: string; readonly value: string } | undefined {
  const [, key = '', value = ''] = TAG.exec(item) ?? [];
  return key === '' || key.toLowerCase().startsWith('aws:') ? undefined : { key, value };
}

function parseTags(items: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (items.length === 0) return undefined;
  if (items.length > MAX_TAGS) throw badValue(`has more than the ${MAX_TAGS} tags that an object may have`);
  const tags = new Map<string, string>();
  for (const item of items) {
    const tag = tagIn(item);
    if (tag === undefined)
      throw badValue('is no tag like project=alpha: KEY=VALUE of letters, digits, spaces and + - . : / @ _');
    if (tags.has(tag.key)) throw badValue(`gives the tag "${tag.key}" twice`);
    tags.set(tag.key, tag.value);
  }
  return Object.fromEntries(tags);
}
