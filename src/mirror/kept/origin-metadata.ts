import type { ContentHeaders } from '../../s3/object-attributes.ts';
import type { OriginHead } from '../origin/origin.ts';

/**
 * Most bytes of all user metadata, names and values.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata
 */
const MOST_METADATA_BYTES = 2 * 1024;
/** What is left for the name of a multipart upload, in bytes: `isync-fill` and a UUID. */
const UPLOAD_BYTES = 10 + 36;
/** Names that a header may have. */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
/** What a header of a signed request may hold. */
const PLAIN = /^[\t\x20-\x7e]*$/;

/** Metadata of ours: who has asked for the object, and its bytes when it was put. */
export const FILLED_BY = 'isync-filled-by';
export const KEPT_SIZE = 'isync-size';
export const KEPT_MD5 = 'isync-md5';
/** Metadata of ours: what the origin has said of the object. */
export const ORIGIN_ETAG = 'isync-origin-etag';
export const ORIGIN_MODIFIED = 'isync-origin-modified';

export type FilledBy = 'request' | 'fill';

export interface StoredMetadata {
  readonly metadata: Readonly<Record<string, string>>;
  /** Names of what was left out: no header can have that name, or there was no room. */
  readonly dropped: readonly string[];
}

/**
 * User metadata of what comes from an origin: first what we know of it, then, as far as there is room, what the rule keeps. Text
 * that is not ASCII is written as S3 itself tells it (RFC 2047).
 * @param own further metadata of ours, in ASCII
 */
export function metadataOf(
  head: OriginHead & { readonly origin: string },
  own: Readonly<Record<string, string>> = {},
): StoredMetadata {
  const ours: Record<string, string | undefined> = {
    ...own,
    [ORIGIN_ETAG]: head.etag,
    [ORIGIN_MODIFIED]: head.modifiedMs === undefined ? undefined : new Date(head.modifiedMs).toISOString(),
    'isync-origin': head.origin,
  };
  const metadata: Record<string, string> = {};
  const dropped: string[] = [];
  let room = MOST_METADATA_BYTES - UPLOAD_BYTES;
  for (const [name, value] of [...Object.entries(ours), ...theirs(head, ours)]) {
    if (value === undefined) continue;
    const text = PLAIN.test(value) ? value : encodedWord(value);
    const bytes = name.length + text.length;
    if (!NAME.test(name) || bytes > room) {
      dropped.push(name);
      continue;
    }
    room -= bytes;
    metadata[name] = text;
  }
  return { metadata, dropped };
}

function theirs(head: OriginHead, ours: object): [string, string][] {
  return Object.entries(head.metadata)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value])
    .filter(([name]) => !Object.hasOwn(ours, name));
}

/** Headers come as Latin-1; most servers that send other characters mean UTF-8. */
function encodedWord(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  const isLatin1 = bytes.toString('latin1') === value;
  return `=?UTF-8?B?${Buffer.from(isLatin1 ? meantText(bytes) : value).toString('base64')}?=`;
}

function meantText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** Content headers as a bucket takes them: all of them in ASCII. */
export function storableHeaders(headers: ContentHeaders): ContentHeaders {
  const { contentDisposition, expires } = headers;
  return {
    contentType: plain(headers.contentType),
    contentEncoding: plain(headers.contentEncoding),
    contentLanguage: plain(headers.contentLanguage),
    contentDisposition: contentDisposition === undefined ? undefined : asciiDisposition(contentDisposition),
    cacheControl: plain(headers.cacheControl),
    expires: expires === undefined || Number.isNaN(expires.getTime()) ? undefined : expires,
  };
}

function plain(value: string | undefined): string | undefined {
  return value === undefined || value === '' || !PLAIN.test(value) ? undefined : value;
}

/** A file name that is not ASCII gets the form of RFC 6266 that is made for it, beside one for old clients. */
function asciiDisposition(value: string): string {
  if (PLAIN.test(value)) return value;
  const ascii = value.replaceAll(/[^\t\x20-\x7e]/g, '_');
  const name = /filename="((?:[^"\\]|\\.)*)"/i.exec(value)?.[1] ?? /filename=([^";\s]+)/i.exec(value)?.[1];
  if (name === undefined || /filename\*=/i.test(value)) return ascii;
  const bytes = Buffer.from(name, 'latin1');
  const text = bytes.toString('latin1') === name ? meantText(bytes) : name;
  const encoded = encodeURIComponent(text.toWellFormed().replaceAll(/\\(.)/g, '$1')).replaceAll(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${ascii}; filename*=UTF-8''${encoded}`;
}
