import mime from 'mime';
import type { ContentHeaders } from '../../../s3/object-attributes.ts';
import type { MirrorRule } from '../../rule.ts';
import { OriginError, type OriginHead } from '../origin.ts';
import { type HeadersIn, timeOf, valueOf } from './header-values.ts';

/** What follows from the head of an answer that brings an object. */
export interface ReadHead {
  readonly head: OriginHead;
  /** Why it is never kept; undefined where it may be. */
  readonly notKept: string | undefined;
  /** Base64; undefined where none was sent. */
  readonly md5: string | undefined;
}

const META = 'x-amz-meta-';
/** Longest headers that are kept, together, in bytes: S3 takes 8 KiB of all headers of a request, metadata and signature among them. */
const MOST_HEADER_BYTES = 4096;
/** What is said of a body without a type: RFC 9110, 8.3. */
const NO_TYPE = 'application/octet-stream';

/**
 * @param name of the origin, for people
 * @param key at the origin: its extension tells a type where the origin tells none
 * @throws OriginError where the head contradicts itself
 */
export function readHead(
  name: string,
  key: string,
  headers: HeadersIn,
  rule: Pick<MirrorRule, 'keeps' | 'takesType'>,
): ReadHead {
  const size = sizeOf(name, headers);
  const isFramed = size !== undefined || isChunked(name, headers);
  const content = contentOf(key, headers);
  const metadata = metadataOf(headers, rule);
  const head: OriginHead = {
    size,
    headers: content,
    etag: valueOf(headers, 'etag'),
    modifiedMs: timeOf(headers, 'last-modified'),
    metadata,
  };
  return {
    head,
    notKept: notKept(head, isFramed, rule),
    md5: valueOf(headers, 'content-md5'),
  };
}

function notKept(
  { headers }: OriginHead,
  isFramed: boolean,
  rule: Pick<MirrorRule, 'takesType'>,
): string | undefined {
  // undici takes one that was cut for whole.
  if (!isFramed) return 'its body ends with the connection, and may have been cut';
  const type = mediaType(headers.contentType ?? NO_TYPE);
  if (!rule.takesType(type)) return `the rule takes no ${type}`;
  const { expires: _, ...texts } = headers;
  const bytes = Object.values(texts).reduce((sum, text = '') => sum + text.length, 0);
  return bytes > MOST_HEADER_BYTES ? 'it has longer headers than S3 takes' : undefined;
}

/** Of the body, as announced. @throws OriginError */
function sizeOf(name: string, headers: HeadersIn): number | undefined {
  const length = valueOf(headers, 'content-length');
  if (length === undefined || headers['transfer-encoding'] !== undefined) return undefined;
  if (/^\d{1,15}$/.test(length)) return Number(length);
  throw new OriginError(502, `${name} announces a body of "${length.slice(0, 32)}" bytes`);
}

/** Whether the last chunk tells the end of the body. @throws OriginError where the body is packed for the way, unasked */
function isChunked(name: string, headers: HeadersIn): boolean {
  const coding = valueOf(headers, 'transfer-encoding')?.toLowerCase();
  if (coding === undefined || coding === 'identity') return false;
  if (coding === 'chunked') return true;
  throw new OriginError(502, `${name} sends with "${coding.slice(0, 32)}", which was not asked for`);
}

function contentOf(key: string, headers: HeadersIn): ContentHeaders {
  const encoding = valueOf(headers, 'content-encoding');
  return {
    contentType: valueOf(headers, 'content-type') ?? mime.getType(`/${key}`) ?? undefined,
    contentEncoding: encoding?.toLowerCase() === 'identity' ? undefined : encoding,
    contentLanguage: valueOf(headers, 'content-language'),
    contentDisposition: valueOf(headers, 'content-disposition'),
    cacheControl: valueOf(headers, 'cache-control'),
    expires: expiresOf(headers),
  };
}

/** What is no date means that it has expired: RFC 9111, 5.3. */
function expiresOf(headers: HeadersIn): Date | undefined {
  return valueOf(headers, 'expires') === undefined ? undefined : new Date(timeOf(headers, 'expires') ?? 0);
}

function metadataOf(headers: HeadersIn, { keeps }: Pick<MirrorRule, 'keeps'>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(META) || name.length === META.length || !keeps(name)) continue;
    const value = valueOf(headers, name);
    if (value !== undefined) kept[name.slice(META.length)] = value;
  }
  return kept;
}

function mediaType(value: string): string {
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase();
}
