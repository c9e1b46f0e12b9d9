import type { HttpHeaders, HttpRequest } from '../../http/handler.ts';

/**
 * What a function URL hands on, as far as we read it (payload format 2.0). Unlike HTTP APIs of API Gateway it leaves the path as it
 * was sent. https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export interface UrlEvent {
  readonly rawPath?: string | undefined;
  /** Without "?". */
  readonly rawQueryString?: string | undefined;
  /** Names in lower case; repeated ones joined by ",". */
  readonly headers?: HttpHeaders | undefined;
  readonly requestContext?:
    | {
        readonly http?:
          { readonly method?: string | undefined; readonly sourceIp?: string | undefined } | undefined;
      }
    | undefined;
}

/** The request of an event. Bodies are not read: nothing that we answer has one. */
export function requestOf(event: UrlEvent, signal: AbortSignal): HttpRequest {
  const { rawPath = '/', rawQueryString = '', headers = {}, requestContext } = event;
  const { method = 'GET', sourceIp = '' } = requestContext?.http ?? {};
  return {
    method,
    target: rawQueryString === '' ? rawPath : `${rawPath}?${rawQueryString}`,
    headers,
    remoteAddress: sourceIp,
    body: nothing(),
    signal,
    admitted: () => {
      // The connection is Lambda's.
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Ends at once.
}
