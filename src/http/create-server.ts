import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https';
import { IsyncError } from '../model/isync-error.ts';

/** Largest request head in bytes, unless told: a token, a path of 1,024 bytes percent-encoded, and what proxies add. */
const HEAD_BYTES = 8 * 1024;
/** Parts of the request's deadline after which it is checked. Sharper would only cost wake-ups. */
const CHECKS_PER_DEADLINE = 4;

/** PEM. With `ca`, only clients with a certificate of it are let in. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer | undefined;
}

export interface CreateServerOptions {
  readonly tls: TlsFiles | undefined;
  /** For a TLS handshake, and for a whole request, in ms. */
  readonly requestMs: number;
  /** For the head of a request, in ms. Default: `requestMs`. */
  readonly headerMs?: number | undefined;
  /** Of a request, its line among them. Default: 8 KiB. */
  readonly headBytes?: number | undefined;
  /** Between two requests of a connection, in ms. */
  readonly keepAliveMs: number;
  /** Whether a client that sends no more may still wait for its answer. */
  readonly allowHalfClosed: boolean;
  readonly onRequest: RequestListener;
}

/**
 * Node's HTTP or HTTPS server with deadlines and limits; it does not listen yet.
 * @throws IsyncError CONFIG_INVALID where certificate, key or CA can't be used
 */
export function createServer(options: CreateServerOptions): Server {
  const server = serverOf(options);
  // Of Node's server, but not of its documentation: https://github.com/nodejs/node/blob/v24.x/lib/_http_server.js
  return Object.assign(server, { httpAllowHalfOpen: options.allowHalfClosed });
}

function serverOf({
  tls,
  requestMs,
  headerMs = requestMs,
  headBytes = HEAD_BYTES,
  keepAliveMs,
  onRequest,
}: CreateServerOptions): Server {
  const http = {
    maxHeaderSize: headBytes,
    // Node refuses a longer one than that of the whole request.
    headersTimeout: Math.min(headerMs, requestMs),
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.ceil(Math.min(headerMs, requestMs) / CHECKS_PER_DEADLINE),
  };
  if (tls === undefined) return createHttpServer(http, onRequest);
  const asksClients = tls.ca !== undefined && { requestCert: true, rejectUnauthorized: true };
  return withUsable(() =>
    createHttpsServer({ ...http, ...contextOf(tls), handshakeTimeout: requestMs, ...asksClients }, onRequest),
  );
}

/**
 * Has a server of HTTPS serve new connections with another certificate.
 * @throws IsyncError CONFIG_INVALID where certificate, key or CA can't be used
 */
export function replaceTls(server: Server, tls: TlsFiles): void {
  if (!(server instanceof HttpsServer)) throw new Error('a server without TLS has no certificate');
  withUsable(() => server.setSecureContext(contextOf(tls)));
}

function contextOf({ cert, key, ca }: TlsFiles) {
  return { cert, key, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) } as const;
}

function withUsable<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new IsyncError('CONFIG_INVALID', `the TLS certificate or key can't be used: ${reason}`, {
      cause: error,
      hint: 'Both must be PEM files, and belong together.',
    });
  }
}
