import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { HttpResponse } from './handler.ts';

/**
 * How long the rest of a body that was refused is read before the connection ends, in ms. To close it with bytes unread resets it, by which
 * a client may lose the answer. As long as nginx's lingering_timeout.
 */
const LINGER_MS = 5000;

/** As `pipeline` calls it. */
class ClientLeft extends Error {
  readonly code = 'ERR_STREAM_PREMATURE_CLOSE';
}

/**
 * Sends a response, as fast as the client reads it. Resolves when all of it was handed to the system. Rejects when the
 * client has left or has read nothing for `stallMs`, or the body rejects; the caller cuts the connection then.
 */
export async function send(
  response: ServerResponse,
  { status, headers = {}, body }: HttpResponse,
  stallMs: number,
): Promise<void> {
  const told: Record<string, string | number> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) told[name] = value;
  }
  if (!isStream(body) && body !== undefined) told['content-length'] = Buffer.byteLength(body);
  // All at once: one by one they take three times as long.
  response.writeHead(status, told);
  if (isStream(body) && response.req.method !== 'HEAD') {
    limitStall(response, stallMs);
    return await pipeline(cuttingOnError(body, response), response);
  }
  if (isStream(body)) await body[Symbol.asyncIterator]().return?.();
  else if (isLast(response)) await linger(response, body);
  else return await ended(response, body, stallMs);
  await ended(response, undefined, stallMs);
}

/** Whether the connection ends with this response, though its request has not come whole. */
function isLast({ shouldKeepAlive, req }: ServerResponse): boolean {
  return !shouldKeepAlive && !req.complete && !req.destroyed;
}

/** Sends the whole response, and then reads what the client still sends. */
async function linger(response: ServerResponse, body: string | Uint8Array = ''): Promise<void> {
  if (body.length > 0) response.write(body);
  else response.flushHeaders();
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const over = (): void => {
      clearTimeout(timer);
      resolve();
    };
    response.req.once('end', over).once('close', over).resume();
  });
}

/** `finished` of node:stream does the same, and takes as long as all else that a small response needs. */
function ended(response: ServerResponse, body: string | Uint8Array | undefined, stallMs: number) {
  return new Promise<void>((resolve, reject) => {
    const closed = (): void => {
      if (response.writableFinished) resolve();
      else reject(new ClientLeft());
    };
    if (response.closed) return closed();
    response.once('finish', resolve).once('error', reject).once('close', closed);
    response.end(body);
    // Else the system has all of it.
    if (response.writableLength > 0) limitStall(response, stallMs);
  });
}

function limitStall(response: ServerResponse, stallMs: number): void {
  response.setTimeout(stallMs, () => {
    // A body that is slow to come is not the client's fault.
    if (response.writableLength > 0) response.destroy();
  });
}

/** Left to `pipeline`, an error of the body would be one of the socket, and look like the client's fault. */
async function* cuttingOnError(body: AsyncIterable<Uint8Array>, response: ServerResponse) {
  try {
    yield* body;
  } catch (error) {
    response.destroy();
    throw error;
  }
}

function isStream(body: HttpResponse['body']): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}
