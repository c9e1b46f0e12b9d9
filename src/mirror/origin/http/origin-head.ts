import mime from 'mime';
import type { ContentHeaders } from '../../../s3/object-attributes.ts';
import type { MirrorRule } from '../../rule.ts';
import { OriginError, type OriginHead } from '../origin.ts';
import { asciiOf, type HeadersIn, timeOf, utf8In, valueOf } from './header-values.ts';

/** What follows from the head of an answer that brings an object. */
export interface ReadHead {
  readonly head: OriginHead;
  /** Why it is never kept; undefined where it may be. */
  readonly notKept: string | undefined;
  /** Base64; undefined where none was sent. */
  readonly md5: string | undefined;
}

const META = 'x-amz-meta-';
/**
 * Longest names and values of metadata and headers together, in bytes. S3 takes 2 KiB of the former, of which the mirror needs some
 * for its own, and 8 KiB of headers: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
 */
const MOST_KEPT_BYTES = { metadata: 1024, headers: 4096 };
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
    etag: asciiOf(headers, 'etag'),
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
  { headers, metadata }: OriginHead,
  isFramed: boolean,
  rule: Pick<MirrorRule, 'takesType'>,
): string | undefined {
  // undici takes one that was cut for whole.
  if (!isFramed) return 'its body ends with the connection, and may have been cut';
  const type = mediaType(headers.contentType ?? NO_TYPE);
  if (!rule.takesType(type)) return `the rule takes no ${type}`;
  if (bytesOf(metadata) > MOST_KEPT_BYTES.metadata) return 'it has more metadata than S3 takes';
  const { expires: _, ...texts } = headers;
  return bytesOf(texts) > MOST_KEPT_BYTES.headers ? 'it has longer headers than S3 takes' : undefined;
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
  const encoding = asciiOf(headers, 'content-encoding');
  return {
    contentType: asciiOf(headers, 'content-type') ?? mime.getType(`/${key}`) ?? undefined,
    contentEncoding: encoding?.toLowerCase() === 'identity' ? undefined : encoding,
    contentLanguage: asciiOf(headers, 'content-language'),
    contentDisposition: asciiOf(headers, 'content-disposition') ?? dispositionOf(headers),
    cacheControl: asciiOf(headers, 'cache-control'),
    expires: expiresOf(headers),
  };
}

/** What is no date means that it has expired: RFC 9111, 5.3. */
function expiresOf(headers: HeadersIn): Date | undefined {
  return valueOf(headers, 'expires') === undefined ? undefined : new Date(timeOf(headers, 'expires') ?? 0);
}

/** A file name that is not ASCII, as RFC 6266 writes it. Undefined where there is none. */
function dispositionOf(headers: HeadersIn): string | undefined {
  const value = utf8In(valueOf(headers, 'content-disposition') ?? '');
  const [, kind, name] = /^(attachment|inline)\s*;\s*filename\s*=\s*"?([^"\\;]+)"?$/i.exec(value) ?? [];
  return name === undefined ? undefined : `${kind}; filename*=UTF-8''${encodeURIComponent(name.trim())}`;
}

function metadataOf(headers: HeadersIn, { keeps }: Pick<MirrorRule, 'keeps'>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    if (!name.startsWith(META) || name.length === META.length || !keeps(name)) continue;
    const value = asciiOf(headers, name);
    if (value !== undefined) kept[name.slice(META.length)] = value;
  }
  return kept;
}

function mediaType(value: string): string {
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function bytesOf(fields: Readonly<Record<string, string | undefined>>): number {
  let bytes = 0;
  for (const [name, value = ''] of Object.entries(fields)) bytes += name.length + value.length;
  return bytes;
}
