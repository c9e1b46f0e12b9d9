import type { ContentHeaders, ObjectAttributes } from '../../../s3/object-attributes.ts';
import { hasMd5, type ObjectFacts } from '../../../s3/look.ts';

/** User metadata of a copy whose ETag can't be that of its object: the ETag of the version that it was made of. */
const SOURCE_ETAG = 'isync-source-etag';
/** The same of a copy of a copy: the ETag of the object that was none. It ends a ring of buckets that are copied one to the next. */
const ORIGIN_ETAG = 'isync-origin-etag';
/** All user metadata of an object, in bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html */
const MOST_METADATA_BYTES = 2048;
/** What servers and the SDK say where nobody has told the type. */
const NO_TYPE = /^(?:binary|application)\/octet-stream$/;

/** Whether the target's object is a copy of the source's as it is now: bytes, user metadata and headers. */
export function isCopyOf(copy: ObjectFacts, object: ObjectFacts): boolean {
  return hasBytesOf(copy, object) && attributesText(copy) === attributesText(object);
}

/** Whether the target's object has the bytes of the source's; false also where that can't be told. */
export function hasBytesOf(copy: ObjectFacts, object: ObjectFacts): boolean {
  if (copy.size !== object.size) return false;
  if (copy.etag === object.etag) return true;
  if (hasMd5(copy) && hasMd5(object)) return false;
  if (copy.metadata[SOURCE_ETAG] === object.etag) return true;
  // The object is itself a copy of what the target has: it must not be copied back.
  if (object.metadata[SOURCE_ETAG] === copy.etag || object.metadata[ORIGIN_ETAG] === copy.etag) return true;
  const sha256 = object.checksums.SHA256;
  return sha256 !== undefined && copy.checksums.SHA256 === sha256;
}

/**
 * What the copy is given beside its bytes.
 * @param marked whether it says what it was made of
 */
export function attributesFor(
  { etag, metadata, headers }: ObjectFacts,
  marked: boolean,
): Required<Pick<ObjectAttributes, 'metadata' | 'headers'>> {
  const own = withoutMarks(metadata);
  const origin = metadata[ORIGIN_ETAG] ?? metadata[SOURCE_ETAG];
  const withMarks = {
    ...own,
    ...(marked && { [SOURCE_ETAG]: etag }),
    ...(origin !== undefined && { [ORIGIN_ETAG]: origin }),
  };
  return { metadata: bytesOf(withMarks) <= MOST_METADATA_BYTES ? withMarks : own, headers };
}

/** The object may be a copy of another one, too. */
function withoutMarks(metadata: ObjectFacts['metadata']): ObjectFacts['metadata'] {
  return Object.fromEntries(
    Object.entries(metadata).filter(([name]) => name !== SOURCE_ETAG && name !== ORIGIN_ETAG),
  );
}

function attributesText({ metadata, headers }: ObjectFacts): string {
  const own = Object.entries(withoutMarks(metadata)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([own, typeOf(headers), ...REST.map((name) => headers[name] ?? '')]);
}

const REST = [
  'contentEncoding',
  'contentLanguage',
  'contentDisposition',
  'cacheControl',
  'expires',
] as const satisfies readonly (keyof ContentHeaders)[];

function typeOf({ contentType = '' }: ContentHeaders): string {
  return NO_TYPE.test(contentType) ? '' : contentType;
}

function bytesOf(metadata: ObjectFacts['metadata']): number {
  return Object.entries(metadata)
    .map(([name, value]) => Buffer.byteLength(name) + Buffer.byteLength(value))
    .reduce((sum, bytes) => sum + bytes, 0);
}
