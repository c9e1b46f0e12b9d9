import type { IncomingMessage, ServerResponse } from 'node:http';

export const TEXT = '0123456789';
export const MODIFIED = 'Tue, 06 May 2025 07:08:09 GMT';

/** An origin that has all keys but those that begin with "none". */
export const all = (request: IncomingMessage, response: ServerResponse): void => {
  if (request.url?.startsWith('/none') === true) {
    response.statusCode = 404;
    response.end('<h1>not here</h1>');
    return;
  }
  response.setHeader('content-length', TEXT.length);
  response.setHeader('content-type', 'text/x-old');
  response.setHeader('cache-control', 'max-age=5');
  response.setHeader('etag', '"old"');
  response.setHeader('last-modified', MODIFIED);
  response.setHeader('set-cookie', 'a=b');
  response.setHeader('x-secret', 'c');
  response.end(request.method === 'HEAD' ? undefined : TEXT);
};
