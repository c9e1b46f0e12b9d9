import type { IncomingHttpHeaders } from 'node:http';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';

/** The head of an answer with 200, as the SDK would give it. */
export function outputOf(headers: IncomingHttpHeaders): HeadObjectCommandOutput {
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const time = (name: string): Date | undefined => {
    const value = new Date(text(name) ?? '');
    return Number.isNaN(value.getTime()) ? undefined : value;
  };
  const length = text('content-length');
  const Metadata: Record<string, string> = {};
  for (const name in headers)
    if (name.startsWith('x-amz-meta-')) Metadata[name.slice('x-amz-meta-'.length)] = text(name) ?? '';
  const output: Record<string, unknown> = {
    ETag: text('etag'),
    ContentLength: length === undefined ? undefined : Number(length),
    LastModified: time('last-modified'),
    Metadata,
    ContentType: text('content-type'),
    ContentEncoding: text('content-encoding'),
    ContentLanguage: text('content-language'),
    ContentDisposition: text('content-disposition'),
    CacheControl: text('cache-control'),
    Expires: time('expires'),
    VersionId: text('x-amz-version-id'),
    ServerSideEncryption: text('x-amz-server-side-encryption'),
    SSECustomerAlgorithm: text('x-amz-server-side-encryption-customer-algorithm'),
    StorageClass: text('x-amz-storage-class'),
    TagCount: Number(text('x-amz-tagging-count') ?? 0),
    ChecksumType: text('x-amz-checksum-type'),
    ChecksumCRC32: text('x-amz-checksum-crc32'),
    ChecksumCRC32C: text('x-amz-checksum-crc32c'),
    ChecksumCRC64NVME: text('x-amz-checksum-crc64nvme'),
    ChecksumSHA1: text('x-amz-checksum-sha1'),
    ChecksumSHA256: text('x-amz-checksum-sha256'),
  };
  const [requestId, extendedRequestId] = [text('x-amz-request-id'), text('x-amz-id-2')];
  const $metadata = {
    httpStatusCode: 200,
    ...(requestId !== undefined && { requestId }),
    ...(extendedRequestId !== undefined && { extendedRequestId }),
  };
  return { $metadata, ...output };
}
