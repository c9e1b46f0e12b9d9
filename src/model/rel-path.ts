import { isUtf8 } from 'node:buffer';
import { IsyncError } from './isync-error.ts';

/** Longest path on the wire and in a store, in bytes of UTF-8: Linux PATH_MAX is 4096 with the final NUL. */
export const MAX_PATH_BYTES = 4096;
/** Most segments in the path of a file in a store: as deep as a scan looks. Each costs the store's disk a folder. */
export const MAX_PATH_SEGMENTS = 129;
/** Longest segment, in bytes of UTF-8: NAME_MAX of every common file system. */
const MAX_SEGMENT_BYTES = 255;
const DOT = 46;

/**
 * A path inside a root or a store: "/"-separated, relative, without empty, "." or ".." segments and without
 * NUL, at most {@link MAX_PATH_BYTES} with segments of at most {@link MAX_SEGMENT_BYTES}, well-formed Unicode.
 * Only the functions of this file make one, so code that has one need not check it again.
 */
export type RelPath = string & { readonly __relPath: true };

/** Why `text` is no {@link RelPath}; undefined where it is one. */
export function relPathFault(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.includes('\0')) return 'has a NUL character';
  if (!text.isWellFormed()) return 'is not well-formed Unicode';
  if (isLonger(text, MAX_PATH_BYTES)) return `is longer than ${MAX_PATH_BYTES} bytes`;
  // Without `split`: every path that comes or is listed goes through here, some of them several times.
  for (let start = 0, end = 0; end < text.length; start = end + 1) {
    end = text.indexOf('/', start);
    if (end < 0) end = text.length;
    const length = end - start;
    if (length === 0) return 'has an empty segment';
    const mayBeDots = length <= 2 && text.charCodeAt(start) === DOT;
    if (!mayBeDots && length * 3 <= MAX_SEGMENT_BYTES) continue;
    const segment = text.slice(start, end);
    if (segment === '.' || segment === '..') return `has a "${segment}" segment`;
    if (isLonger(segment, MAX_SEGMENT_BYTES)) return `has a segment over ${MAX_SEGMENT_BYTES} bytes`;
  }
  return undefined;
}

/** Counts bytes only where `text` could be too long: a UTF-16 unit is at most three bytes of UTF-8. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

export function isRelPath(text: string): text is RelPath {
  return relPathFault(text) === undefined;
}

/** @throws IsyncError BAD_PATH */
export function parseRelPath(text: string): RelPath {
  if (isRelPath(text)) return text;
  throw new IsyncError('BAD_PATH', `the path ${relPathFault(text)}`, { path: text });
}

/** Whether `path`, which is a RelPath, a "/" and `name`, is one too: tells it from the name and the length, faster than from all of it. */
export function isEntryPath(path: string, name: string): path is RelPath {
  return !name.includes('/') && isRelPath(name) && !isLonger(path, MAX_PATH_BYTES);
}

/** A file name as the disk holds it; undefined where it is not UTF-8, and so can't be in a RelPath. */
export function decodeName(name: Buffer): string | undefined {
  return isUtf8(name) ? name.toString('utf8') : undefined;
}

/** @throws IsyncError BAD_PATH when the joined path grows too long or `name` is not one safe segment */
export function joinRelPath(parent: RelPath | '', name: string): RelPath {
  return parseRelPath(parent === '' ? name : `${parent}/${name}`);
}

/** The folder that holds `path`; '' for a first-level path. */
export function parentOf(path: RelPath): RelPath | '' {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '';
  const parent = path.slice(0, slash);
  return isWhole(parent) ? parent : '';
}

/** What comes before a "/" of a RelPath is one, too. */
function isWhole(_parent: string): _parent is RelPath {
  return true;
}

/** The last segment of `path`. */
export function nameOf(path: RelPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The first segment of `path`: for a path below a root, its data directory. */
export function firstSegment(path: RelPath): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}
