import type { HttpHeaders } from '../../http/handler.ts';
import type { AskHeaders } from '../../s3/ask-object.ts';
import { httpTime } from '../http-date.ts';

/**
 * Conditional requests and ranges, as RFC 9110 has them. What S3 decides as well goes to it, so that it sends no body for nothing:
 * https://www.rfc-editor.org/rfc/rfc9110#section-13
 */

/** What tells one version of an object from another. */
export interface Validators {
  /** With quotes and `W/`, as it is told to clients. */
  readonly etag: string | undefined;
  /** In whole seconds, as ms. */
  readonly modifiedMs: number | undefined;
}

/** One range: of a size that is not known yet. */
export type WantedRange =
  /** `end`: the last byte that is wanted; undefined: the end. */
  | { readonly start: number; readonly end: number | undefined }
  /** The last bytes. */
  | { readonly last: number };

export interface Conditions {
  /** Undefined: none; `*`: any version. */
  readonly ifMatch: readonly string[] | '*' | undefined;
  readonly ifNoneMatch: readonly string[] | '*' | undefined;
  /** Only where there is no `ifMatch`. */
  readonly ifUnmodifiedSince: number | undefined;
  /** Only where there is no `ifNoneMatch`. */
  readonly ifModifiedSince: number | undefined;
  /** Undefined where all is wanted, and where what is wanted is no single range: then all is sent. */
  readonly range: WantedRange | undefined;
  /** An ETag with quotes or a time in ms; undefined: the range counts for any version. `false`: for none. */
  readonly ifRange: string | number | false | undefined;
}

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** Never refuses. A time or a range that is none is as if it were not there; of what is no ETag no object has the like. */
export function conditionsIn(method: 'GET' | 'HEAD', headers: HttpHeaders): Conditions {
  const ifMatch = tagsIn(headers['if-match']);
  const ifNoneMatch = tagsIn(headers['if-none-match']);
  return {
    ifMatch,
    ifNoneMatch,
    ifUnmodifiedSince: ifMatch === undefined ? httpTime(headers['if-unmodified-since']) : undefined,
    ifModifiedSince: ifNoneMatch === undefined ? httpTime(headers['if-modified-since']) : undefined,
    range: method === 'GET' ? rangeIn(headers['range']) : undefined,
    ifRange: ifRangeIn(headers['if-range']),
  };
}

/** What S3 can decide: one ETag, a time, one range. The rest is decided by {@link failed} once its answer is there. */
export function askedOf(conditions: Conditions): AskHeaders {
  const { ifMatch, ifNoneMatch, ifUnmodifiedSince, ifModifiedSince, range } = conditions;
  return {
    range: range && rangeHeader(range),
    'if-match': onlyTag(ifMatch),
    'if-none-match': onlyTag(ifNoneMatch)?.replace(/^W\//, ''),
    'if-unmodified-since': dateOf(ifUnmodifiedSince),
    'if-modified-since': dateOf(ifModifiedSince),
  };
}

/** The status that tells that a condition does not hold; undefined where all of them do. */
export function failed(conditions: Conditions, { etag, modifiedMs }: Validators): 304 | 412 | undefined {
  const { ifMatch, ifNoneMatch, ifUnmodifiedSince, ifModifiedSince } = conditions;
  if (ifMatch !== undefined && ifMatch !== '*' && !ifMatch.some((tag) => isSameVersion(tag, etag)))
    return 412;
  if (ifUnmodifiedSince !== undefined && modifiedMs !== undefined && modifiedMs > ifUnmodifiedSince)
    return 412;
  if (ifNoneMatch === '*' || ifNoneMatch?.some((tag) => isLike(tag, etag)) === true) return 304;
  if (ifModifiedSince !== undefined && modifiedMs !== undefined && modifiedMs <= ifModifiedSince) return 304;
  return undefined;
}

/** Whether the range counts for this version. */
export function rangeHolds({ ifRange }: Conditions, { etag, modifiedMs }: Validators): boolean {
  if (ifRange === undefined) return true;
  if (typeof ifRange === 'string') return isSameVersion(ifRange, etag);
  return ifRange !== false && ifRange === modifiedMs;
}

/** The bytes of a range, `end` not among them; undefined where the object has none of them. */
export function bytesOf(
  range: WantedRange,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const start = 'last' in range ? Math.max(0, size - range.last) : range.start;
  const end = 'last' in range || range.end === undefined ? size : Math.min(size, range.end + 1);
  return start < end ? { start, end } : undefined;
}

/** Whether it is an ETag as RFC 9110 has it. */
export function isTag(text: string | undefined): boolean {
  return text !== undefined && TAG.test(text);
}

function tagsIn(text: string | undefined): readonly string[] | '*' | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '*') return '*';
  // A comma may stand within a tag.
  return [...text.matchAll(/(?:W\/)?"[^"]*"/g)].map(([tag]) => tag).filter(isTag);
}

function onlyTag(tags: readonly string[] | '*' | undefined): string | undefined {
  return typeof tags === 'object' && tags.length === 1 ? tags[0] : undefined;
}

function ifRangeIn(text: string | undefined): string | number | false | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (isTag(trimmed)) return trimmed;
  return httpTime(trimmed) ?? false;
}

/** Of several ranges, of other units and of what is none, undefined: a server may send all. */
function rangeIn(text: string | undefined): WantedRange | undefined {
  const [, first, last] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(text ?? '') ?? [];
  if (first === undefined || last === undefined) return undefined;
  if (first === '') return Number(last) > 0 ? { last: Number(last) } : undefined;
  if (last === '') return { start: Number(first), end: undefined };
  return Number(last) < Number(first) ? undefined : { start: Number(first), end: Number(last) };
}

function rangeHeader(range: WantedRange): string {
  return 'last' in range ? `bytes=-${range.last}` : `bytes=${range.start}-${range.end ?? ''}`;
}

function dateOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toUTCString();
}

/** The strong comparison: a weak tag is like none. */
function isSameVersion(tag: string, etag: string | undefined): boolean {
  return tag === etag && !tag.startsWith('W/');
}

/** The weak comparison. */
function isLike(tag: string, etag: string | undefined): boolean {
  return etag !== undefined && tag.replace(/^W\//, '') === etag.replace(/^W\//, '');
}
