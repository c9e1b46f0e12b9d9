/**
 * Answers one request. It knows no socket, so Node's server and a Lambda function URL are two callers of one handler.
 * - It may run many times at once.
 * - A rejection becomes a response: an {@link HttpError} its status, anything else 500 and a line of log.
 */
export type HttpHandler = (request: HttpRequest) => Promise<HttpResponse>;

/** Names in lower case; the values of a repeated header are joined by ", ". */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

export interface HttpRequest {
  readonly method: string;
  /**
   * What the request line names, in ASCII, neither decoded nor normalised: `//`, `..` and `%2F` stand as they were sent.
   * It begins with "/", unless the client sends `*` or a whole URL.
   */
  readonly target: string;
  readonly headers: HttpHeaders;
  /** Address of the connection's other end, which may be a proxy. Empty where it is unknown. */
  readonly remoteAddress: string;
  /** May be read once, or not at all. Reading rejects with HttpError 413 beyond the limit, 400 where the body is cut. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Fires when nobody waits for the response any more. */
  readonly signal: AbortSignal;
  /**
   * To be called once the request is authenticated: the connection makes way for no newcomer any more, neither in this
   * request nor in later ones. One that is never admitted is among those that a flood of connections cuts. Does nothing when
   * called again, or where connections are not the server's own.
   */
  readonly admitted: () => void;
}

export interface HttpResponse {
  readonly status: number;
  /** Content-Length is added where the body is text or bytes. */
  readonly headers?: HttpHeaders | undefined;
  /**
   * Chunks are taken as fast as the client reads them. When they reject, the connection is cut, so that the client sees
   * a body that is not whole. Chunks that nobody reads (HEAD, a client that has left) are ended by `return`.
   */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
}

/** A request that a handler, or reading its body, refuses: the message is the body of the response. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HttpError';
    this.status = status;
  }
}
