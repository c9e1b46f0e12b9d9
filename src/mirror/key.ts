import { MAX_KEY_BYTES } from '../model/object-key.ts';

/** What the target of a request names. */
export type ParsedTarget =
  /**
   * `path`: percent-decoded once, without the first "/"; never empty.
   * `query`: as it was sent, without "?"; undefined where there is none, or an empty one.
   */
  | { readonly kind: 'key'; readonly path: string; readonly query: string | undefined }
  /** "/", the root of the server. The request is well-formed, and no object can have that name: a 404, never a 400. */
  | { readonly kind: 'empty' }
  /** No key: a 400. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What may stand in the target of a request. Node lets "#" pass, and a server behind it would cut the key there. */
const IN_TARGET = /^[!"$-~]*$/;
const CONTROL = /\p{Cc}/u;

/**
 * The key in the target of a request, which must be as the client has sent it: what has been decoded or normalised on its way can't
 * be told from what has not.
 * @param keyBytes the longest key in bytes of UTF-8: less than that of S3 where the bucket's keys have a prefix
 */
export function parseTarget(target: string, keyBytes = MAX_KEY_BYTES): ParsedTarget {
  if (!target.startsWith('/')) return refused('the request must name a path, not a whole URL and not "*"');
  const mark = target.indexOf('?');
  const rawPath = target.slice(1, mark === -1 ? undefined : mark);
  const query = mark === -1 ? '' : target.slice(mark + 1);
  if (!IN_TARGET.test(rawPath) || !IN_TARGET.test(query))
    return refused('the request has a character that must be percent-encoded');
  // A byte is at most three characters: what is longer need not be decoded.
  if (rawPath.length > 3 * keyBytes) return refused(tooLong(keyBytes));
  const path = decoded(rawPath);
  if (path === undefined) return refused('the path is not percent-encoded UTF-8');
  if (path === '') return { kind: 'empty' };
  const fault = keyFault(path, keyBytes);
  return fault === undefined
    ? { kind: 'key', path, query: query === '' ? undefined : query }
    : refused(`the path ${fault}`);
}

/** Why `key` can be no key of a mirror, wherever it came from: undefined where it can. Completes a sentence. */
export function keyFault(key: string, keyBytes = MAX_KEY_BYTES): string | undefined {
  if (key === '') return 'is empty';
  if (!key.isWellFormed()) return 'is not well-formed Unicode';
  if (CONTROL.test(key)) return 'has a control character';
  if (hasDotSegment(key)) return 'has a "." or ".." segment';
  return Buffer.byteLength(key) > keyBytes ? tooLong(keyBytes) : undefined;
}

/** Whether a server could take a part of `key` for a way up. Some take "\" for "/". */
export function hasDotSegment(key: string): boolean {
  return /(?:^|[/\\])\.{1,2}(?:$|[/\\])/.test(key);
}

/**
 * A key as a part of a URL's path: to be put behind a base that ends with "/", and never to be resolved against it. Each byte that
 * could mean anything in a URL is percent-encoded; "/" stays.
 */
export function encodeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Undefined where `text` has a "%" without two digits, or bytes that are not UTF-8 in its shortest form. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function refused(reason: string): ParsedTarget {
  return { kind: 'refused', reason };
}

function tooLong(bytes: number): string {
  return `is longer than ${bytes} bytes`;
}
