import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Access, S3Credentials } from './access.ts';

/** Tries of one request in all, by the SDK, some 0.1 s apart. The caller tries again for longer. */
const ATTEMPTS = 3;
/**
 * From the first packet to an open connection, in ms: enough for two retransmissions on a bad link. A request that waits
 * for a connection of ours fails after this time, too.
 */
const CONNECT_MS = 10_000;
/** Longest time without a byte in either direction, in ms. A server that takes longer to complete an upload sends spaces. */
const SILENCE_MS = 60_000;

/** A client of the SDK for `options`, with at most `connections` open, set up for servers that are not AWS, too. */
export function createS3Client(options: S3Access, connections: number): S3Client {
  const client = new S3Client(configOf(options, connections));
  // It walks through each request and answer for a log that nobody reads.
  client.middlewareStack.remove('loggerMiddleware');
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

function configOf(options: S3Access, connections: number): S3ClientConfig {
  const { endpoint, region, pathStyle, profile, credentials, ca } = options;
  const own = endpoint !== undefined;
  const agent = { keepAlive: true, maxSockets: connections };
  return {
    ...(own && {
      endpoint,
      region: region ?? 'us-east-1',
      // Other servers know neither the new checksums nor trailers.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(credentials !== undefined && { credentials: credentialsOf(credentials) }),
    // Servers that are not AWS rarely have a host name for each bucket.
    forcePathStyle: pathStyle ?? own,
    maxAttempts: ATTEMPTS,
    // All middleware is added above, before the first request, so the stack need not be built for each one.
    cacheMiddleware: true,
    // With it the SDK would open a new connection for each large part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ca }),
    },
  };
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: S3Credentials) {
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
