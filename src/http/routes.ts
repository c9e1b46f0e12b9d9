import type { HttpHandler, HttpRequest } from './handler.ts';
import { textResponse } from './text-response.ts';

/** The handlers of each path, by method. That of GET answers HEAD too; the server leaves out the body. */
export type Routes = Readonly<Record<string, Readonly<Record<string, HttpHandler>>>>;

/**
 * A handler that calls the one of the request's path and method. A path is compared as it was sent, up to its "?": it is
 * neither decoded nor normalised. Any other path is left to `elsewhere`, which answers 404 where it is not given; any other
 * method of a known path is answered with 405.
 */
export function routes(table: Routes, elsewhere: HttpHandler = nothingHere): HttpHandler {
  const byPath = new Map(
    Object.entries(table).map(([path, methods]) => [path, new Map(Object.entries(methods))]),
  );
  return async (request) => {
    const methods = byPath.get(pathOf(request));
    if (methods === undefined) return elsewhere(request);
    const handler = methods.get(request.method === 'HEAD' ? 'GET' : request.method);
    return handler === undefined ? notAllowed(methods) : handler(request);
  };
}

function pathOf({ target }: HttpRequest): string {
  const [path = ''] = target.split('?', 1);
  return path;
}

const nothingHere: HttpHandler = async () => textResponse(404, 'there is nothing here');

function notAllowed(methods: ReadonlyMap<string, HttpHandler>) {
  const allow = [...methods.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return textResponse(405, 'this is not done here', { allow: allow.join(', ') });
}
