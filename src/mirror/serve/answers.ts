import type { HttpHeaders, HttpResponse } from '../../http/handler.ts';
import { textResponse } from '../../http/text-response.ts';
import type { ContentHeaders } from '../../s3/object-attributes.ts';

/** What became of a request, in the access log, in metrics and in the header `Isync-Mirror`. */
export type Outcome =
  /** The bucket has it. */
  | 'HIT'
  /** Asked for at the origin, by this request or by another one at the same time. */
  | 'MISS'
  | 'JOINED'
  /** The origin has said a moment ago that there is none. */
  | 'NEGATIVE'
  /** Nothing of ours: no rule, an excepted key, an object that clients must fetch themselves. */
  | 'BYPASS'
  /** The origin, the bucket or a limit is in the way. */
  | 'ERROR'
  /** The request itself is. */
  | 'REFUSED';

export interface Answer {
  readonly outcome: Outcome;
  readonly response: HttpResponse;
}

/** A CDN that keeps an error or a redirect makes a loop of it. */
const NO_STORE = { 'cache-control': 'no-store' };

/** An answer of one line. It is never kept. */
export function lineAnswer(
  outcome: Outcome,
  status: number,
  line: string,
  headers: HttpHeaders = {},
): Answer {
  return { outcome, response: textResponse(status, line, { ...NO_STORE, ...headers }) };
}

/** @param location of ASCII alone */
export function redirectAnswer(outcome: Outcome, location: string): Answer {
  return { outcome, response: { status: 302, headers: { ...NO_STORE, location }, body: '' } };
}

/** What a client is told in place of what it asked for, when the origin or a limit is in the way. Says nothing of who is behind. */
export function failureAnswer(status: 502 | 503 | 504 | 508, retryAfterS: number | undefined): Answer {
  const retry = status === 503 ? { 'retry-after': String(Math.ceil(retryAfterS ?? RETRY_AFTER_S)) } : {};
  return lineAnswer('ERROR', status, LINES[status], retry);
}

/** When a client may come again, where nothing tells better, in s. */
const RETRY_AFTER_S = 5;
const LINES = {
  502: 'the origin does not give the object',
  503: 'busy: try again later',
  504: 'the origin did not answer in time',
  508: 'a loop leads back to a mirror that was asked before',
};

/** The headers of an object's content, as HTTP has them. */
export function contentFields(headers: ContentHeaders): HttpHeaders {
  return {
    'content-type': headers.contentType ?? 'application/octet-stream',
    'content-encoding': headers.contentEncoding,
    'content-language': headers.contentLanguage,
    'content-disposition': headers.contentDisposition,
    'cache-control': headers.cacheControl,
    expires: headers.expires?.toUTCString(),
  };
}

/** Headers of S3 that clients get. */
const PASSED = [
  'content-type',
  'content-encoding',
  'content-language',
  'content-disposition',
  'cache-control',
  'expires',
  'etag',
  'last-modified',
  'content-length',
  'content-range',
] as const;
/** Of those, what a 304 may have. https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5 */
const PASSED_UNCHANGED = ['cache-control', 'expires', 'etag', 'last-modified'] as const;
const META = 'x-amz-meta-';
/** Metadata of ours tells where an object came from, which is no client's business. */
const OWN_META = 'x-amz-meta-isync-';

/** What clients get of the headers of an object in the bucket: those of its content, and metadata that is not ours. */
export function passedHeaders(found: HttpHeaders, isUnchanged = false): HttpHeaders {
  const passed: Record<string, string | undefined> = {};
  for (const name of isUnchanged ? PASSED_UNCHANGED : PASSED) passed[name] = fieldValue(found[name]);
  if (isUnchanged) return passed;
  for (const name in found)
    if (name.startsWith(META) && !name.startsWith(OWN_META)) passed[name] = fieldValue(found[name]);
  return passed;
}

/**
 * A value of a header as it can be sent: each character a byte. Undefined where there is none, and where a byte of it could end
 * the header: what is stored is not ours.
 */
export function fieldValue(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  // oxlint-disable-next-line no-control-regex
  const bytes = /[^\0-\xff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
  // oxlint-disable-next-line no-control-regex
  return /[\0-\x08\x0a-\x1f\x7f]/.test(bytes) ? undefined : bytes;
}
