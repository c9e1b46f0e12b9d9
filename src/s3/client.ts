import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { BOUNDED_ANSWERS, boundedAnswers } from '../aws/bounded-answers.ts';
import { clientSettings } from '../aws/client-settings.ts';
import { proxyFor } from '../http/proxy-for.ts';
import type { S3Access } from './access.ts';
import { allowQuick } from './quick/ask.ts';
import { allowQuickReads, closeQuickReads } from './quick/reads.ts';

/** Longest answer that is kept whole, in bytes: a page of 1,000 keys of 1 KiB, each byte an entity of XML, and as many ETags. */
const MOST_ANSWER_BYTES = 8 * 1024 * 1024;
/** Most tags in one: 1,000 keys with some ten elements each, twice over, and room. */
const MOST_TAGS = 50_000;
/** What the SDK would write to stderr is told by the error, too. */
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const STREAMED: ReadonlySet<string> = new Set(['GetObjectCommand']);

export interface ClientOptions {
  /**
   * A request is one try: neither does the SDK try again, nor is it asked after a quick request that was of no use. For callers who
   * tell of each try that failed. Default false.
   */
  readonly isOneTry?: boolean | undefined;
}

/** A client of the SDK for `options`, with at most `connections` open, set up for servers that are not AWS, too. */
export function createS3Client(
  options: S3Access,
  connections: number,
  { isOneTry = false }: ClientOptions = {},
): S3Client {
  const config = configOf(options, connections, isOneTry ? 1 : undefined);
  const client = new QuickClient(config);
  const { httpAgent, httpsAgent } = config.requestHandler;
  const endpoint = options.endpoint === undefined ? undefined : new URL(options.endpoint);
  // What is quick speaks to the server itself.
  if (endpoint !== undefined && config.forcePathStyle && !isOneTry && proxyFor(endpoint) === undefined) {
    allowQuick(client, { endpoint, httpAgent, httpsAgent });
    allowQuickReads(client, { endpoint, ca: options.ca, mostIdle: connections });
  }
  // It walks through each request and answer for a log that nobody reads.
  client.middlewareStack.remove('loggerMiddleware');
  client.middlewareStack.add(
    boundedAnswers({ mostBytes: MOST_ANSWER_BYTES, mostTags: MOST_TAGS, streamed: STREAMED }),
    BOUNDED_ANSWERS,
  );
  // The SDK would hash each body a second time to sign it. Content-MD5 is signed, and ties the body to the signature.
  client.middlewareStack.add(
    (next) => (call) => {
      const { request } = call;
      if (hasHeaders(request) && 'content-md5' in request.headers)
        request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(call);
    },
    { step: 'build', name: 'unsignedPayload', priority: 'low' },
  );
  return client;
}

/** Closes what was opened beside the SDK, too. */
class QuickClient extends S3Client {
  override destroy(): void {
    closeQuickReads(this);
    super.destroy();
  }
}

function configOf(access: S3Access, connections: number, attempts: number | undefined) {
  const own = access.endpoint !== undefined;
  const config = {
    ...clientSettings(access, connections, attempts),
    // Other servers know neither the new checksums nor trailers.
    ...(own && {
      requestChecksumCalculation: 'WHEN_REQUIRED' as const,
      responseChecksumValidation: 'WHEN_REQUIRED' as const,
    }),
    // Servers that are not AWS rarely have a host name for each bucket.
    forcePathStyle: access.pathStyle ?? own,
    // With it the SDK would open a new connection for each large part.
    expectContinueHeader: false,
    logger: QUIET,
  } satisfies S3ClientConfig;
  return config;
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
