import { answer } from '../../http/answer.ts';
import type { HttpHandler, HttpHeaders, HttpResponse } from '../../http/handler.ts';
import { textResponse } from '../../http/text-response.ts';
import type { Log } from '../../model/log.ts';
import { requestOf, type UrlEvent } from './event.ts';

/** Bytes of a body that fit into an answer: Lambda takes 6 MB of JSON, in which base64 makes four bytes of three. */
export const BUFFERED_BYTES = 4_500_000;

/** https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload */
export interface UrlResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Always base64: as text, Lambda would take it for UTF-8, and what has no type for JSON. */
  readonly body: string;
  readonly isBase64Encoded: true;
}

/** Calls `handler` for an event, and holds its whole response. Never rejects. */
export async function answerBuffered(
  handler: HttpHandler,
  event: UrlEvent,
  signal: AbortSignal,
  log: Log,
): Promise<UrlResult> {
  const request = requestOf(event, signal);
  const response = await answer(handler, request, log);
  if (request.method === 'HEAD') {
    await leave(response.body);
    return resultOf(response, Buffer.alloc(0));
  }
  try {
    const body = await bytesOf(response.body);
    if (body !== undefined) return resultOf(response, body);
    log.error('a response is larger than Lambda takes', { path: event.rawPath });
    return failed('the object is larger than can be answered here');
  } catch (error) {
    log.warn('the body of a response failed', { err: error, path: event.rawPath });
    return failed('the object did not come whole');
  }
}

function failed(line: string): UrlResult {
  const response = textResponse(502, line, { 'cache-control': 'no-store' });
  return resultOf(response, Buffer.from(`${line}\n`));
}

function resultOf({ status, headers = {} }: HttpResponse, body: Buffer): UrlResult {
  return {
    statusCode: status,
    headers: headersOf(headers),
    body: body.toString('base64'),
    isBase64Encoded: true,
  };
}

/** Those that are there. Without a type Lambda would say that it is JSON. */
export function headersOf(headers: HttpHeaders): Record<string, string> {
  const told: Record<string, string> = { 'content-type': 'application/octet-stream' };
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) told[name] = value;
  return told;
}

/** Undefined where there are more than {@link BUFFERED_BYTES}. */
async function bytesOf(body: HttpResponse['body']): Promise<Buffer | undefined> {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > BUFFERED_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces, size);
}

/** Ends chunks that nobody reads. */
export async function leave(body: HttpResponse['body']): Promise<void> {
  if (typeof body === 'object' && Symbol.asyncIterator in body) await body[Symbol.asyncIterator]().return?.();
}
