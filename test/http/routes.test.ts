import { describe, expect, it } from 'vitest';
import type { HttpHandler, HttpRequest } from '../../src/http/handler.ts';
import { routes } from '../../src/http/routes.ts';

function request(method: string, target: string): HttpRequest {
  return {
    method,
    target,
    headers: {},
    remoteAddress: '',
    body: (async function* () {})(),
    signal: new AbortController().signal,
    admitted: () => undefined,
  };
}

function answering(status: number): HttpHandler {
  return async () => ({ status });
}

describe('a route', () => {
  const handler = routes({
    '/healthz': { GET: answering(200) },
    '/events': { GET: answering(201), POST: answering(202) },
  });

  it.each([
    ['GET', '/healthz', 200],
    ['GET', '/events', 201],
    ['POST', '/events', 202],
    ['POST', '/events?topic=a?b', 202],
  ])('%s %s is answered by its own handler', async (method, target, status) => {
    expect(await handler(request(method, target))).toEqual({ status });
  });

  it('of GET answers HEAD', async () => {
    expect(await handler(request('HEAD', '/events'))).toEqual({ status: 201 });
  });

  it('with another method is refused, and says which there are', async () => {
    expect(await handler(request('PUT', '/events'))).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD, POST' },
    });
    expect(await handler(request('toString', '/healthz'))).toMatchObject({ status: 405 });
  });

  it.each(['/', '/healthz/', '//healthz', '/%68ealthz', '/x/../healthz', '/HEALTHZ', '*', '', 'constructor'])(
    'is not met by "%s": a path is taken as it was sent',
    async (target) => {
      expect(await handler(request('GET', target))).toMatchObject({ status: 404 });
      expect(await routes({}, answering(299))(request('GET', target))).toEqual({ status: 299 });
    },
  );
});
