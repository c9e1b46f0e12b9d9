import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { HttpHeaders, HttpRequest } from './handler.ts';
import { NodeBody } from './node-body.ts';

interface RequestContext {
  /** The most that the body may have. */
  readonly bodyBytes: number;
  readonly admitted: () => void;
}

/** A request of Node's server as a handler sees it. */
export function requestOf(
  incoming: IncomingMessage,
  response: ServerResponse,
  context: RequestContext,
): HttpRequest {
  return new NodeRequest(incoming, response, context);
}

/** What only some handlers ask for is made when they do: a small request is answered in less time than all of it takes. */
class NodeRequest implements HttpRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: HttpHeaders;
  readonly remoteAddress: string;
  readonly body: AsyncIterable<Uint8Array>;
  readonly admitted: () => void;
  readonly #response: ServerResponse;
  #gone: AbortController | undefined;

  constructor(incoming: IncomingMessage, response: ServerResponse, { bodyBytes, admitted }: RequestContext) {
    this.method = incoming.method ?? '';
    this.target = incoming.url ?? '';
    this.headers = joined(incoming.headers);
    this.remoteAddress = incoming.socket.remoteAddress ?? '';
    this.body = new NodeBody(incoming, bodyBytes);
    this.admitted = admitted;
    this.#response = response;
  }

  get signal(): AbortSignal {
    this.#gone ??= abortedWhenGone(this.#response);
    return this.#gone.signal;
  }
}

function abortedWhenGone(response: ServerResponse): AbortController {
  const gone = new AbortController();
  const look = (): void => {
    if (!response.writableFinished) gone.abort();
  };
  if (response.closed) look();
  else response.once('close', look);
  return gone;
}

function joined(headers: IncomingHttpHeaders): HttpHeaders {
  if (hasTextsOnly(headers)) return headers;
  return { ...headers, 'set-cookie': headers['set-cookie']?.join(', ') };
}

/** Node joins all headers that come twice, but this one: https://nodejs.org/api/http.html#messageheaders */
function hasTextsOnly(headers: IncomingHttpHeaders): headers is Record<string, string | undefined> {
  return headers['set-cookie'] === undefined;
}
