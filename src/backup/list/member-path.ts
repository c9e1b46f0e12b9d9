import { IsyncError } from '../../model/isync-error.ts';

/** Longest path in bytes: PATH_MAX, each byte escaped as four. */
const MAX_PATH_BYTES = 4 * 4096;
/** Longest segment in bytes: NAME_MAX, each byte escaped as four. */
const MAX_SEGMENT_BYTES = 4 * 255;
/** Deepest path in segments: a folder is opened for each. */
const MAX_SEGMENTS = 2048;

/**
 * The path of a member of an archive, for people and as a key: "/"-separated, relative, without empty, "." or ".." segments and
 * without NUL, well-formed Unicode. A name that is not UTF-8 stands in it escaped (see escaped-name.ts). Only the functions of
 * this file make one.
 */
export type MemberPath = string & { readonly __memberPath: true };

/** Why `text` is no {@link MemberPath}; undefined where it is one. */
export function memberPathFault(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.startsWith('/')) return 'is absolute';
  if (text.includes('\0')) return 'has a NUL character';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (Buffer.byteLength(text) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  const segments = text.split('/');
  if (segments.length > MAX_SEGMENTS) return `has more than ${MAX_SEGMENTS} segments`;
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment';
    if (segment === '.' || segment === '..') return `has a "${segment}" segment`;
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
      return `has a segment over ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** @throws IsyncError BAD_PATH */
export function parseMemberPath(text: string): MemberPath {
  if (isMemberPath(text)) return text;
  throw new IsyncError('BAD_PATH', `the path ${memberPathFault(text)}`, { path: text.slice(0, 256) });
}

export function isMemberPath(text: string): text is MemberPath {
  return memberPathFault(text) === undefined;
}

/**
 * The order of members in an archive and of records in a list: that of a walk which takes the names of each folder by the bytes of
 * their UTF-8, and a folder before what is in it. Below 0 where `a` comes first.
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one !== other) return rank(one) - rank(other);
  }
  return a.length - b.length;
}

/** "/" ends a name, so it comes before all that a name may have; surrogates stand for code points above U+FFFF, behind all others. */
function rank(unit: number): number {
  if (unit === 0x2f) return 0;
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
