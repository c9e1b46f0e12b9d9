import type { Registry } from 'prom-client';
import { bearerToken } from '../access/bearer-token.ts';
import { sameSecret } from '../access/same-secret.ts';
import { refusedPage } from '../http/browser-guard.ts';
import { checkExposure } from '../http/exposure.ts';
import type { HttpHandler, HttpRequest } from '../http/handler.ts';
import type { ListenAddress } from '../http/listen-address.ts';
import { routes } from '../http/routes.ts';
import { type HttpLimits, startServer } from '../http/server.ts';
import { textResponse } from '../http/text-response.ts';
import { ThrottledLog } from '../http/throttled-log.ts';
import type { Log } from '../model/log.ts';
import type { StatusBoard } from '../observe/status/status-board.ts';
import { pageFiles } from './status/page-files.ts';
import { ReportFeed } from './status/report-feed.ts';

/** A scraper asks every few seconds, a page listens, each on one connection; nothing is sent to a status server. */
const LIMITS: HttpLimits = {
  requestMs: 10_000,
  bodyBytes: 0,
  stallMs: 10_000,
  keepAliveMs: 60_000,
  endMs: 1_000,
  unadmitted: { total: 64, perAddress: 32 },
  connections: 256,
};

/**
 * With each answer. The page needs nothing from elsewhere, and what strangers chose (names of files and devices) is set as text:
 * with trusted types a browser refuses to make markup of it.
 */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'",
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export interface StatusOptions {
  readonly listen: ListenAddress;
  /** What a request must bring as its bearer token, for all but /healthz and the empty page. Needed beyond loopback. */
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

export interface StatusServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Serves `/` (a page that shows the board), `/status.json` (its report), `/events` (its reports, live), `/metrics` in the format
 * of Prometheus, `/healthz` (the process lives) and `/readyz` (it can do its work). All of it is read only.
 *
 * The token comes in the header `Authorization` alone, from a page as from a scraper: the page asks its user for it and sends it
 * with each request. A cookie would be sent by browsers of their own accord, to every port of the host, and with requests that
 * another site's page makes; a token in the address would stay in the history and in logs of proxies.
 * @throws IsyncError CONFIG_INVALID: no such address, or one beyond loopback without a token
 */
export async function startStatus(options: StatusOptions): Promise<StatusServer> {
  const { listen, token, board, metrics, notReady, remark, lives = () => 'ok', log } = options;
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
  const feed = new ReportFeed(board, log);
  const files = await pageFiles();
  const handler = routes({
    ...Object.fromEntries(Object.entries(files).map(([path, file]) => [path, { GET: file }])),
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
    '/status.json': {
      GET: guarded(async () => ({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: `${JSON.stringify(board.report())}\n`,
      })),
    },
    '/events': {
      GET: guarded(async ({ signal }) => {
        const body = feed.listen(signal);
        if (body === undefined) return textResponse(503, 'too many pages are open', { 'retry-after': '10' });
        // nginx would keep events back until its buffer is full.
        return {
          status: 200,
          headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
          body,
        };
      }),
    },
  });
  const server = await startServer({
    listen,
    tls: undefined,
    limits: LIMITS,
    log,
    warnings: new ThrottledLog(log),
    handler: withGuard(handler, listen),
  });
  return {
    url: server.url('http'),
    [Symbol.asyncDispose]: async () => {
      feed.end();
      await server.end();
    },
  };
}

function withGuard(handler: HttpHandler, listen: ListenAddress): HttpHandler {
  return async (request) => {
    const refusal = refusedPage(request, listen, /^\/(\?|$)/.test(request.target));
    const { status, headers, body } =
      refusal === undefined ? await handler(request) : textResponse(refusal.status, refusal.reason);
    return { status, headers: { ...HEADERS, ...headers }, body };
  };
}

function isAllowed({ headers }: HttpRequest, token: string | undefined): boolean {
  return token === undefined || sameSecret(bearerToken(headers['authorization']) ?? '', token);
}
