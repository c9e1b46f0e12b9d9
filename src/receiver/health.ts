import type { HttpHandler } from '../http/handler.ts';
import { routes } from '../http/routes.ts';
import { textResponse } from '../http/text-response.ts';

const alive: HttpHandler = async () => textResponse(200, 'ok');

/** As the upgrade to a session is refused, so that a sender with a wrong path understands it. */
const nothingHere: HttpHandler = async () => ({
  status: 404,
  headers: { 'content-type': 'application/json' },
  body: '{"code":"UNREACHABLE","message":"there is nothing here"}\n',
});

/** Answers plain HTTP at a receiver: a health check at `/healthz`, and 404 elsewhere. */
export const answerHealth = routes({ '/healthz': { GET: alive } }, nothingHere);
