import type { StorageClass } from '@aws-sdk/client-s3';
import { lockMode, type Retention } from './retention.ts';

/** How the server keeps an object. */
export interface ObjectSettings {
  readonly storageClass?: string | undefined;
  readonly sse?: 'AES256' | 'aws:kms' | undefined;
  readonly sseKmsKeyId?: string | undefined;
  /** Not every server takes tags. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** Headers about the content that a server keeps with an object and tells again. */
export interface ContentHeaders {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  readonly contentLanguage?: string | undefined;
  readonly contentDisposition?: string | undefined;
  readonly cacheControl?: string | undefined;
  /** Until when caches may keep it. */
  readonly expires?: Date | undefined;
}

/** What a new object is given beside its bytes. */
export interface ObjectAttributes extends ObjectSettings {
  /** User metadata (`x-amz-meta-…`). */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly headers?: ContentHeaders | undefined;
  /** Only of a PUT by the SDK: servers drop it from multipart uploads. */
  readonly retention?: Retention | undefined;
}

/** The attributes as the requests that make an object take them. */
export function toInput(attributes: ObjectAttributes) {
  const { metadata, headers, storageClass, sse, sseKmsKeyId, tags, retention } = attributes;
  return {
    ...(metadata !== undefined && { Metadata: { ...metadata } }),
    ...(headers !== undefined && {
      ContentType: headers.contentType,
      ContentEncoding: headers.contentEncoding,
      ContentLanguage: headers.contentLanguage,
      ContentDisposition: headers.contentDisposition,
      CacheControl: headers.cacheControl,
      Expires: headers.expires,
    }),
    ...(storageClass !== undefined && isStorageClass(storageClass) && { StorageClass: storageClass }),
    ...(sse !== undefined && { ServerSideEncryption: sse }),
    ...(sseKmsKeyId !== undefined && { SSEKMSKeyId: sseKmsKeyId }),
    ...(tags !== undefined && { Tagging: tagsText(tags) }),
    ...(retention !== undefined && retentionInput(retention)),
  };
}

function retentionInput({ mode, untilMs }: Retention) {
  return {
    ObjectLockMode: lockMode(mode),
    ObjectLockRetainUntilDate: new Date(untilMs),
  };
}

/** Tags as a header has them. Not every server takes "+" for a space. */
export function tagsText(tags: Readonly<Record<string, string>>): string {
  return new URLSearchParams(tags).toString().replaceAll('+', '%20');
}

/** The headers that an answer tells. */
export function headersIn(answer: {
  readonly [Header in keyof ContentHeaders as Capitalize<Header>]?: ContentHeaders[Header];
}): ContentHeaders {
  return {
    contentType: answer.ContentType,
    contentEncoding: answer.ContentEncoding,
    contentLanguage: answer.ContentLanguage,
    contentDisposition: answer.ContentDisposition,
    cacheControl: answer.CacheControl,
    expires: answer.Expires,
  };
}

/** The type lists the classes of AWS only; other servers have classes of their own. */
function isStorageClass(name: string): name is StorageClass {
  return name !== '';
}
