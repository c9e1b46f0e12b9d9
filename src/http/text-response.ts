import type { HttpHeaders, HttpResponse } from './handler.ts';

/** A response of one line of plain text. */
export function textResponse(status: number, line: string, headers: HttpHeaders = {}): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    body: `${line}\n`,
  };
}
