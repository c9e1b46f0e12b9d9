import type { Registry } from 'prom-client';
import { bearerToken } from '../access/bearer-token.ts';
import { checkExposure } from '../http/exposure.ts';
import type { HttpHandler, HttpRequest } from '../http/handler.ts';
import type { ListenAddress } from '../http/listen-address.ts';
import { routes } from '../http/routes.ts';
import { type HttpLimits, type HttpServer, startServer } from '../http/server.ts';
import { textResponse } from '../http/text-response.ts';
import { ThrottledLog } from '../http/throttled-log.ts';
import type { Log } from '../model/log.ts';
import type { StatusBoard } from '../observe/status/status-board.ts';
import { sameSecret } from '../access/same-secret.ts';

/** A scraper asks every few seconds, on one connection; nothing is sent to a status server. */
const LIMITS: HttpLimits = {
  requestMs: 10_000,
  bodyBytes: 0,
  stallMs: 10_000,
  keepAliveMs: 60_000,
  endMs: 1_000,
  unadmitted: { total: 64, perAddress: 32 },
};

export interface StatusOptions {
  readonly listen: ListenAddress;
  /** What a request must bring as its bearer token, for all but /healthz. Needed beyond loopback. */
  readonly token: string | undefined;
  readonly board: StatusBoard;
  readonly metrics: Registry;
  /** Why the command can't do its work just now; undefined where it can. */
  readonly notReady: () => string | undefined;
  /** What is wrong beside that, told to whoever reads the answer. */
  readonly remark?: (() => string | undefined) | undefined;
  /** What /healthz answers, to anybody. Default: "ok". */
  readonly lives?: (() => string) | undefined;
  readonly log: Log;
}

/**
 * Serves `/healthz` (the process lives), `/readyz` (it can do its work) and `/metrics`, in the format of Prometheus.
 * @throws IsyncError CONFIG_INVALID: no such address, or one beyond loopback without a token
 */
export async function startStatus(options: StatusOptions): Promise<HttpServer> {
  const { listen, token, metrics, notReady, remark, lives = () => 'ok', log } = options;
  checkExposure(listen, token !== undefined, {
    server: 'the status page',
    hint: 'Let it listen on 127.0.0.1, or give it a token (--status-token-file).',
  });
  const guarded =
    (handler: HttpHandler): HttpHandler =>
    async (request) => {
      if (!isAllowed(request, token))
        return textResponse(401, 'a token is needed', { 'www-authenticate': 'Bearer' });
      request.admitted();
      return handler(request);
    };
  return startServer({
    listen,
    tls: undefined,
    limits: LIMITS,
    log,
    warnings: new ThrottledLog(log),
    handler: routes({
      '/healthz': { GET: async () => textResponse(200, lives()) },
      '/readyz': {
        GET: guarded(async () => {
          const reason = notReady();
          if (reason !== undefined) return textResponse(503, reason);
          const beside = remark?.();
          return textResponse(200, beside === undefined ? 'ok' : `ok, but ${beside}`);
        }),
      },
      '/metrics': {
        GET: guarded(async () => ({
          status: 200,
          headers: { 'content-type': metrics.contentType },
          body: await metrics.metrics(),
        })),
      },
    }),
  });
}

function isAllowed({ headers }: HttpRequest, token: string | undefined): boolean {
  return token === undefined || sameSecret(bearerToken(headers['authorization']) ?? '', token);
}
