import type { LogFields } from '../../model/log.ts';
import type { ContentHeaders } from '../../s3/object-attributes.ts';

/** What a key is called at an origin. */
export interface OriginKey {
  /** Decoded; '' and what begins with "/" are keys like any other. */
  readonly key: string;
  /** As it was sent, without "?"; undefined where none goes to the origin. */
  readonly query: string | undefined;
}

/** An old place of the objects. One object of this stands for one origin of one rule. */
export interface Origin {
  /** For people and metrics: scheme, host and base path, without secrets. What has the same name is away at the same time. */
  readonly name: string;
  /** Where a client could ask by itself: base + encoded key. Undefined where it could not (`s3://`, secret headers). */
  urlOf(key: OriginKey): string | undefined;
  /**
   * Asks for a key with GET or HEAD. The body is to be read to its end, or disposed of: it holds a connection until then.
   * @param passed ids of the mirrors that the request has been through (via.ts); told to an origin that could be one of them
   * @throws OriginError
   */
  ask(
    method: 'GET' | 'HEAD',
    key: OriginKey,
    signal: AbortSignal,
    passed?: readonly string[],
  ): Promise<OriginAnswer>;
}

export type OriginAnswer =
  | ({ readonly kind: 'found' } & OriginObject)
  /** 404 or 410, or S3's NoSuchKey: the origin itself says that there is none. */
  | { readonly kind: 'absent' };

export interface OriginHead {
  /** Bytes that the origin has announced; undefined where it has announced none. */
  readonly size: number | undefined;
  /** Content-Type: the origin's own, or by the key's extension; undefined where neither tells one. */
  readonly headers: ContentHeaders;
  /** As it was sent, with quotes and `W/`. */
  readonly etag: string | undefined;
  readonly modifiedMs: number | undefined;
  /** What the rule keeps of `x-amz-meta-*`, without that prefix. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface OriginObject extends OriginHead, Disposable {
  /**
   * Once. Ends where the body has come as the origin has framed it and any Content-MD5 is right; else rejects with OriginError.
   * Empty for HEAD.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /**
   * Why the object is passed on but never kept, known before its bytes: a body that ends with the connection may have been cut,
   * a type may not be one that the rule takes. Undefined where it may be kept.
   */
  readonly notKept: string | undefined;
}

/** How a request to an origin has failed, as the client of the mirror is told. */
export class OriginError extends Error {
  /**
   * 502: refuses us (401, 403), other 5xx, a short or lying body, a redirect that is not followed.
   * 503: is too busy (429, 503), or its breaker is open. 504: a timeout. 508: is a mirror that sees a loop. 302: larger than the
   * rule's `maxSize`.
   */
  readonly status: 302 | 502 | 503 | 504 | 508;
  /** Whether the origin is in trouble: what its breaker counts. A wrong setting, or one bad object, is not. */
  readonly isAway: boolean;
  /** Seconds that the client should wait. */
  readonly retryAfter: number | undefined;

  constructor(
    status: 302 | 502 | 503 | 504 | 508,
    message: string,
    {
      isAway = false,
      retryAfter,
      cause,
    }: { readonly isAway?: boolean; readonly retryAfter?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.name = 'OriginError';
    this.status = status;
    this.isAway = isAway;
    this.retryAfter = retryAfter;
  }
}

/** What to do about an origin that gives no answer. */
export const AWAY_CURE =
  'Check its URL, the network and the firewall; "timeouts" of the rule say how long it is waited for.';

/** An error as a log shows it: of what an origin has done wrong the words tell all, and a stack would only find us. */
export function faultFields(error: Error): LogFields {
  return error instanceof OriginError ? { reason: error.message } : { err: error };
}
