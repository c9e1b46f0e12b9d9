import type { HttpRequest, HttpResponse } from '../http/handler.ts';

/** Answers plain HTTP at a receiver: a health check at `/healthz`, and 404 elsewhere. */
export async function answerHealth({ method, target }: HttpRequest): Promise<HttpResponse> {
  if (target === '/healthz' && (method === 'GET' || method === 'HEAD'))
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok\n' };
  return {
    status: 404,
    headers: { 'content-type': 'application/json' },
    body: '{"code":"UNREACHABLE","message":"there is nothing here"}\n',
  };
}
