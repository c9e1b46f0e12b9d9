import type { ServerResponse } from 'node:http';
import { finished, pipeline } from 'node:stream/promises';
import type { HttpResponse } from './handler.ts';

/**
 * Sends a response, as fast as the client reads it. Resolves when all of it was handed to the system. Rejects when the
 * client has left or has read nothing for `stallMs`, or the body rejects; the caller cuts the connection then.
 */
export async function send(
  response: ServerResponse,
  { status, headers = {}, body }: HttpResponse,
  stallMs: number,
): Promise<void> {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) response.setHeader(name, value);
  response.setTimeout(stallMs, () => {
    // A body that is slow to come is not the client's fault.
    if (response.writableLength > 0) response.destroy();
  });
  if (isStream(body) && response.req.method !== 'HEAD')
    return await pipeline(cuttingOnError(body, response), response);
  if (isStream(body)) await body[Symbol.asyncIterator]().return?.();
  else if (body !== undefined) response.setHeader('content-length', Buffer.byteLength(body));
  response.end(isStream(body) ? undefined : body);
  await finished(response);
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
