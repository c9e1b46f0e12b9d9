import type { S3Client } from '@aws-sdk/client-s3';
import { bare } from '../answers.ts';
import { type ObjectAttributes, type ObjectSettings, tagsText } from '../object-attributes.ts';
import { askQuickly } from './ask.ts';

export interface QuickPut {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Base64. */
  readonly md5: string;
  readonly attributes: ObjectAttributes;
  readonly ifAbsent: boolean;
}

/** The ETag of an object that was put, or 'in use'; undefined where the SDK must put it. */
export async function quickPut(
  client: S3Client,
  { bucket, key, bytes, md5, attributes, ifAbsent }: QuickPut,
  signal: AbortSignal | undefined,
): Promise<{ readonly etag: string } | 'in use' | undefined> {
  const headers = {
    ...attributeHeaders(attributes),
    'content-md5': md5,
    'if-none-match': ifAbsent ? '*' : undefined,
  };
  const request = { kind: 'put', method: 'PUT', bucket, key, headers, body: bytes } as const;
  return await askQuickly(client, request, signal, (answer) => {
    const { etag } = answer.headers;
    const isInUse = ifAbsent && answer.statusCode === 412;
    if (!isInUse && (answer.statusCode !== 200 || etag === undefined)) return undefined;
    answer.resume();
    return isInUse ? 'in use' : { etag: bare(etag) };
  });
}

/** How the server is to keep an object. */
export function settingsHeaders({ storageClass, sse, sseKmsKeyId, tags }: ObjectSettings) {
  return {
    'x-amz-storage-class': storageClass,
    'x-amz-server-side-encryption': sse,
    'x-amz-server-side-encryption-aws-kms-key-id': sseKmsKeyId,
    'x-amz-tagging': tags && tagsText(tags),
  };
}

function attributeHeaders(attributes: ObjectAttributes): Record<string, string | undefined> {
  const { headers = {}, metadata = {} } = attributes;
  const own = Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name.toLowerCase()}`, value]);
  return {
    ...settingsHeaders(attributes),
    // The SDK says the same.
    'content-type': headers.contentType ?? 'application/octet-stream',
    'content-encoding': headers.contentEncoding,
    'content-language': headers.contentLanguage,
    'content-disposition': headers.contentDisposition,
    'cache-control': headers.cacheControl,
    expires: headers.expires?.toUTCString(),
    ...Object.fromEntries(own),
  };
}
