import type { Log } from '../model/log.ts';
import { HttpError, type HttpHandler, type HttpRequest, type HttpResponse } from './handler.ts';
import { textResponse } from './text-response.ts';

/** A cache that keeps an error tells it to those who would get none. */
const NO_STORE = { 'cache-control': 'no-store' };

/** The response of `handler`; where it rejects, one with the status of its HttpError, or 500. Never rejects. */
export async function answer(handler: HttpHandler, request: HttpRequest, log: Log): Promise<HttpResponse> {
  try {
    return await handler(request);
  } catch (error) {
    if (error instanceof HttpError) return textResponse(error.status, error.message, NO_STORE);
    // A handler that was stopped because the client has left is no fault.
    if (!request.signal.aborted) log.error('fault in an HTTP handler', { err: error });
    return textResponse(500, 'a fault in the server', NO_STORE);
  }
}
