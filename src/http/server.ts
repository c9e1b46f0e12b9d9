import { createServer as createHttpServer, type Server } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { IsyncError } from '../model/isync-error.ts';

/** Largest request head in bytes: a token, a subprotocol and what proxies add. */
const MAX_HEADER_BYTES = 8 * 1024;

/** PEM. With `ca`, only clients with a certificate of it are let in. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer | undefined;
}

/**
 * A server that answers health checks and leaves upgrades to whoever listens for them.
 * @throws IsyncError CONFIG_INVALID where certificate, key or CA can't be used
 */
export function createServer(tls: TlsFiles | undefined, requestMs: number): Server {
  const http = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    // How late the two above may be noticed.
    connectionsCheckingInterval: Math.ceil(requestMs / 4),
  };
  if (tls === undefined) return createHttpServer(http, answer);
  const { cert, key, ca } = tls;
  try {
    return createHttpsServer(
      {
        ...http,
        cert,
        key,
        minVersion: 'TLSv1.2',
        handshakeTimeout: requestMs,
        ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
      },
      answer,
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new IsyncError('CONFIG_INVALID', `the TLS certificate or key can't be used: ${reason}`, {
      cause: error,
      hint: 'Both must be PEM files, and belong together.',
    });
  }
}

/** Plain HTTP: a health check, and nothing else. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const healthy = request.url === '/healthz' && (request.method === 'GET' || request.method === 'HEAD');
  const body = healthy ? 'ok\n' : '{"code":"UNREACHABLE","message":"there is nothing here"}\n';
  response.writeHead(healthy ? 200 : 404, {
    'Content-Type': healthy ? 'text/plain' : 'application/json',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  response.end(body);
}
