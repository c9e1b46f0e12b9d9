import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { answer } from '../../http/answer.ts';
import type { HttpHandler, HttpResponse } from '../../http/handler.ts';
import type { Log } from '../../model/log.ts';
import { headersOf, leave } from './buffered.ts';
import { requestOf, type UrlEvent } from './event.ts';

/** Bytes of a streamed response that Lambda passes on. */
export const STREAMED_BYTES = 200_000_000;

/** What Lambda's runtime has for streams. https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
export interface AwsLambda<Context> {
  streamifyResponse(handler: (event: UrlEvent, stream: Writable, context: Context) => Promise<void>): unknown;
  readonly HttpResponseStream: {
    from(
      stream: Writable,
      metadata: { readonly statusCode: number; readonly headers: Readonly<Record<string, string>> },
    ): Writable;
  };
}

/**
 * Calls `handler` for an event, and passes its response on as fast as it is read. Rejects where the body fails: then Lambda cuts
 * the response, and the client sees that it is not whole.
 */
export async function answerStreamed(
  handler: HttpHandler,
  event: UrlEvent,
  stream: Writable,
  { HttpResponseStream }: Pick<AwsLambda<unknown>, 'HttpResponseStream'>,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<void> {
  const request = requestOf(event, signal);
  const response = await answer(handler, request, log);
  const metadata = { statusCode: response.status, headers: headersOf(response.headers ?? {}) };
  const isHead = request.method === 'HEAD';
  if (isHead) await leave(response.body);
  const to = HttpResponseStream.from(stream, metadata);
  await pipeline(isHead ? Readable.from([]) : bodyOf(response), to);
}

function bodyOf({ body }: HttpResponse): Readable {
  if (typeof body === 'object' && Symbol.asyncIterator in body) return Readable.from(body);
  return Readable.from(body === undefined ? [] : [Buffer.from(body)]);
}
