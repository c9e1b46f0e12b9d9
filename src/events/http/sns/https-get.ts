import type { X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { LookupFunction } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SnsUrl } from './sns-url.ts';

/** For a request from its beginning to the last byte of the response, in ms. SNS waits 15 s for our own answer. */
const TIMEOUT_MS = 5_000;
/** Largest response in bytes. A certificate has 2 KiB, with its issuers 8; a confirmation has 400 bytes. */
const MAX_BYTES = 64 * 1024;
/** Most issuers that are taken from a TLS handshake. */
const MAX_ISSUERS = 4;

export interface Got {
  readonly status: number;
  readonly body: Buffer;
  /** Those that the server named as issuers of its own certificate. */
  readonly issuers: readonly X509Certificate[];
}

/**
 * One GET. Follows no redirect, and asks no proxy. Rejects with whatever went wrong; where the server is not the one that the
 * URL names, or its certificate leads to no authority that is trusted, nothing has been sent.
 */
export type SnsGet = (url: SnsUrl) => Promise<Got>;

export interface HttpsGetOptions {
  /** Trusted authorities in PEM, in place of those of this process. */
  readonly ca?: string | undefined;
  /** Where hosts are, in place of the system's DNS. */
  readonly lookup?: LookupFunction | undefined;
  readonly port?: number | undefined;
  readonly timeoutMs?: number | undefined;
}

export function httpsGet({ ca, lookup, port = 443, timeoutMs = TIMEOUT_MS }: HttpsGetOptions = {}): SnsGet {
  return async (url) => {
    const request = httpsRequest({
      host: url.hostname,
      port,
      path: `${url.pathname}${url.search}`,
      // A connection of its own, checked anew, whatever the environment says of TLS.
      agent: false,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      signal: AbortSignal.timeout(timeoutMs),
      ...(ca !== undefined && { ca }),
      ...(lookup !== undefined && { lookup }),
    });
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).on('error', reject).end();
      });
      return {
        status: response.statusCode ?? 0,
        issuers: issuersOf(response),
        body: await wholeBody(response),
      };
    } finally {
      request.destroy();
    }
  };
}

async function wholeBody(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`the response has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('the response was cut');
  return Buffer.concat(chunks);
}

function issuersOf({ socket }: IncomingMessage): readonly X509Certificate[] {
  if (!(socket instanceof TLSSocket)) return [];
  const issuers: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate()?.issuerCertificate;
  while (next !== undefined && issuers.length < MAX_ISSUERS) {
    issuers.push(next);
    next = next.issuerCertificate;
  }
  return issuers;
}
