import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError, type HttpHeaders, type HttpRequest } from './handler.ts';

interface RequestContext {
  /** The most that the body may have. */
  readonly bodyBytes: number;
  readonly admitted: () => void;
}

/** A request of Node's server as a handler sees it. */
export function requestOf(
  incoming: IncomingMessage,
  response: ServerResponse,
  { bodyBytes, admitted }: RequestContext,
): HttpRequest {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    headers: headersOf(incoming),
    remoteAddress: incoming.socket.remoteAddress ?? '',
    body: bodyOf(incoming, bodyBytes),
    signal: gone.signal,
    admitted,
  };
}

function headersOf({ headers }: IncomingMessage): HttpHeaders {
  const joined: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers))
    joined[name] = Array.isArray(value) ? value.join(', ') : value;
  return joined;
}

async function* bodyOf(incoming: IncomingMessage, most: number): AsyncGenerator<Uint8Array> {
  if (Number(incoming.headers['content-length'] ?? 0) > most) throw tooLarge(most);
  let size = 0;
  try {
    // The end of the loop must not end the socket: the response goes there.
    for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
      if (!(chunk instanceof Uint8Array)) continue;
      size += chunk.length;
      if (size > most) throw tooLarge(most);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, 'the body was cut', { cause: error });
  } finally {
    // What is left is read and dropped until the deadline of the request: only then can the connection serve another one.
    incoming.resume();
  }
}

function tooLarge(most: number): HttpError {
  return new HttpError(413, `the body is larger than ${most} bytes`);
}
