import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Access } from './access.ts';

/** Connections of a store, each with one request under way: what keeps a server of some cores busy with small files. */
export const CONNECTIONS = 32;
/**
 * Objects read for their digest at a time, each on one more connection until its last byte: what waits for a connection
 * in the agent fails after `CONNECT_MS`, and files of a gigabyte would keep all of them for longer.
 */
export const DIGESTS = 16;
/** Tries of one request in all, by the SDK, some 0.1 s apart; whoever put the file tries again for longer. */
const ATTEMPTS = 3;
/** From the first packet to an open connection, in ms: two retransmissions on a bad link. */
const CONNECT_MS = 10_000;
/** Without a byte in either direction, in ms. A server that takes longer to complete an upload sends spaces meanwhile. */
const SILENCE_MS = 60_000;

export function createS3Client(options: S3Access): S3Client {
  const client = new S3Client(configOf(options));
  // It goes through each request and answer for a log that there is not.
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

function configOf(options: S3Access): S3ClientConfig {
  const { endpoint, region, pathStyle, profile } = options;
  const own = endpoint !== undefined;
  const agent = { keepAlive: true, maxSockets: CONNECTIONS + DIGESTS };
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
    forcePathStyle: pathStyle ?? own,
    maxAttempts: ATTEMPTS,
    // All middleware is added above, before the first request: the stack need not be built anew for each.
    cacheMiddleware: true,
    // It would take a new connection for each large part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  };
}

function hasHeaders(request: unknown): request is { headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}
