import type { UrlEvent } from '../../src/mirror/lambda/event.ts';

/** As a function URL has sent it, but for names. */
export const EVENT = {
  version: '2.0',
  routeKey: '$default',
  rawPath: '/img/a%20b%2Fc%C3%A9.jpg',
  rawQueryString: 'v=1&w=%20',
  headers: {
    'x-amzn-trace-id': 'Root=1-68a1b2c3-0123456789abcdef01234567',
    'x-forwarded-proto': 'https',
    host: 'abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws',
    'x-forwarded-for': '203.0.113.7',
    range: 'bytes=0-9',
    via: '2.0 0123456789abcdef0123456789abcdef.cloudfront.net (CloudFront)',
    'user-agent': 'Amazon CloudFront',
  },
  requestContext: {
    accountId: 'anonymous',
    apiId: 'abcdefghijklmnopqrstuvwxyz012345',
    domainName: 'abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws',
    http: {
      method: 'GET',
      path: '/img/a%20b%2Fc%C3%A9.jpg',
      protocol: 'HTTP/1.1',
      sourceIp: '203.0.113.7',
      userAgent: 'Amazon CloudFront',
    },
    requestId: '5f1d2c3b-0000-4000-8000-0123456789ab',
    routeKey: '$default',
    stage: '$default',
    time: '26/Nov/2026:10:00:00 +0000',
    timeEpoch: 1795687200000,
  },
  isBase64Encoded: false,
} as const;

/** The same of another request; `target` is its path and query. */
export function urlEvent(
  target: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
): UrlEvent {
  const [rawPath = '/', ...query] = target.split('?');
  const { range: _, ...usual } = EVENT.headers;
  const http = { ...EVENT.requestContext.http, method, path: rawPath };
  return {
    ...EVENT,
    rawPath,
    rawQueryString: query.join('?'),
    headers: { ...usual, ...headers },
    requestContext: { ...EVENT.requestContext, http },
  };
}
