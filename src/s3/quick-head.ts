import { type Agent as HttpAgent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { Signer } from './signature.ts';

/**
 * A HEAD without the layers of the SDK, which take several times as much of the processor as the request itself. It knows one
 * way only: a server of its own address, with the bucket in the path. Where that is not so, and for every answer but the plain
 * ones, the SDK asks: it alone tries again, and tells what is wrong.
 */

/** Longest time without an answer, in ms; then the SDK asks. */
const SILENCE_MS = 10_000;
/** Answers in a row that were of no use, after which nothing is asked so any more. */
const MOST_USELESS = 8;

/** What a client is reached by. */
export interface QuickRoute {
  readonly endpoint: URL;
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

interface Quick extends QuickRoute {
  readonly signer: Signer;
  useless: number;
}

const routes = new WeakMap<S3Client, Quick>();

/** Lets heads of a client be quick. */
export function allowQuickHeads(client: S3Client, route: QuickRoute): void {
  if (route.endpoint.pathname === '/' && route.endpoint.search === '')
    routes.set(client, { ...route, signer: new Signer(client, route.endpoint), useless: 0 });
}

/**
 * The answer of a HEAD as the SDK would give it, and 'absent' for a 404; undefined where the SDK must ask.
 * @param more further headers, names in lower case
 */
export async function quickHead(
  client: S3Client,
  where: { readonly bucket: string; readonly key: string },
  more: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<HeadObjectCommandOutput | 'absent' | undefined> {
  const quick = routes.get(client);
  if (quick === undefined || quick.useless >= MOST_USELESS) return undefined;
  const answer = await ask(quick, where, more, signal).catch(() => undefined);
  quick.useless = answer === undefined ? quick.useless + 1 : 0;
  return answer;
}

async function ask(
  quick: Quick,
  where: { readonly bucket: string; readonly key: string },
  more: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<HeadObjectCommandOutput | 'absent' | undefined> {
  const { path, headers } = await quick.signer.sign('HEAD', where, more);
  const { status, headers: answered } = await send(quick, path, headers, signal);
  if (status === 404) return 'absent';
  return status === 200 ? outputOf(answered) : undefined;
}

function send(
  { endpoint, httpAgent, httpsAgent }: Quick,
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number | undefined; readonly headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const isTls = endpoint.protocol === 'https:';
    const options = {
      method: 'HEAD',
      host: endpoint.hostname.replaceAll(/^\[|\]$/g, ''),
      port: endpoint.port,
      path,
      headers,
      agent: isTls ? httpsAgent : httpAgent,
      timeout: SILENCE_MS,
      ...(signal !== undefined && { signal }),
    };
    const request = (isTls ? httpsRequest : httpRequest)(options, (answer) => {
      answer.resume();
      resolve({ status: answer.statusCode, headers: answer.headers });
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end();
  });
}

function outputOf(headers: IncomingHttpHeaders): HeadObjectCommandOutput {
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const time = (name: string): Date | undefined => {
    const value = new Date(text(name) ?? '');
    return Number.isNaN(value.getTime()) ? undefined : value;
  };
  const Metadata: Record<string, string> = {};
  for (const name in headers)
    if (name.startsWith('x-amz-meta-')) Metadata[name.slice('x-amz-meta-'.length)] = text(name) ?? '';
  const output: Record<string, unknown> = {
    ETag: text('etag'),
    ContentLength: Number(text('content-length') ?? 0),
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
  return { $metadata: { httpStatusCode: 200 }, ...output };
}
