import picomatch from 'picomatch/posix.js';
import { isBucketName } from '../model/bucket-name.ts';
import { parseS3Address } from './s3-address.ts';
import type { S3StoreAddress } from './target-address.ts';
import { badValue } from './values.ts';

/** An origin as the settings tell it. */
export type MirrorOrigin =
  /** Ends with "/"; without query, fragment, user and password. */
  | { readonly kind: 'http'; readonly base: string }
  /** `prefix` is '' or ends with "/". */
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string };

/** Longest part of a key in a rule, in bytes: that of a key. */
const MAX_KEY_PART_BYTES = 1024;
/** Longest pattern in characters: it is compiled, and asked about each key. */
const MAX_PATTERN = 1024;
const META = 'x-amz-meta-';

/** A bucket with what keys begin with there, or its name alone: the simplest form has no address. */
export function parseMirrorBucket(text: string): S3StoreAddress {
  const address = text.includes('/') || !isBucketName(text) ? text : `s3://${text}`;
  if (!/^s3:\/\//i.test(address)) throw badValue('is no bucket like s3://BUCKET/PREFIX or store:NAME');
  return { kind: 's3', ...parseS3Address(address) };
}

export function parseOrigin(text: string): MirrorOrigin {
  if (!/^s3:\/\//i.test(text)) return parseHttpOrigin(text);
  const { bucket, prefix } = parseS3Address(text);
  return { kind: 's3', bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

export function parseHttpOrigin(text: string): Extract<MirrorOrigin, { readonly kind: 'http' }> {
  const base = baseUrl(text, 'is no origin like https://old.example/base or s3://BUCKET/PREFIX');
  return { kind: 'http', base: `${base}/` };
}

/** Where clients are sent back to, without "/" at its end: "/" and an encoded key follow. */
export function parseServiceEndpoint(text: string): string {
  return baseUrl(text, 'is no URL like https://cdn.example');
}

/** A URL to which a path is added as text, without "/" at its end. */
function baseUrl(text: string, predicate: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw badValue(predicate);
  if (url.username !== '' || url.password !== '')
    throw badValue('holds a user name or password; "send" has a place for what an origin wants to see');
  if (/[?#]/.test(text)) throw badValue('has a "?" or "#" part, behind which no key can be added');
  return url.href.replace(/\/+$/, '');
}

/** The beginning or end of keys. */
export function parseKeyPart(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x1f\x7f]/.test(text)) throw badValue('has a control character, which no key may have');
  if (Buffer.byteLength(text) > MAX_KEY_PART_BYTES)
    throw badValue(`is longer than the ${MAX_KEY_PART_BYTES} bytes of a key`);
  if (/(?:^|[/\\])\.{1,2}[/\\]/.test(text))
    throw badValue('has a "." or ".." segment, which no key may have');
  return text;
}

export function parseKeyPattern(text: string): RegExp {
  if (text === '' || text.length > MAX_PATTERN)
    throw badValue(`is no regular expression of 1 to ${MAX_PATTERN} characters`);
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw badValue(`is no regular expression (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Globs of keys, of which `**` matches any number of segments. What they match is decided where they are used. */
export function parseKeyGlobs(globs: readonly string[]): readonly string[] {
  for (const glob of globs) checkGlob(glob);
  return globs;
}

function checkGlob(glob: string): void {
  if (glob === '' || glob.length > MAX_PATTERN)
    throw badValue(`has a pattern that is not of 1 to ${MAX_PATTERN} characters`);
  if (/^!(?!\()/.test(glob)) throw badValue(`has "${glob}", but there are no exceptions from patterns ("!")`);
  if (glob.startsWith('/'))
    throw badValue(`has "${glob}", but no key begins with "/" unless it is asked for with two`);
  try {
    // Without `debug` what can't be compiled would silently match nothing.
    picomatch.makeRe(glob, { dot: true, nonegate: true, strictBrackets: true, debug: true });
  } catch (error) {
    throw badValue(`has "${glob}", which ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether a header of the origin is kept, by its name in lower case. */
export function parseKeep(names: readonly string[]): (header: string) => boolean {
  for (const name of names)
    if (!/^x-amz-meta-[\w.*-]+$/i.test(name))
      throw badValue(`has "${name}"; only headers like ${META}NAME and ${META}* can be kept`);
  return anyOf(names);
}

/** Whether a media type is kept, in lower case and without parameters. Without any, all are. */
export function parseTypes(types: readonly string[]): (type: string) => boolean {
  for (const type of types)
    if (!/^[\w.+*-]+\/[\w.+*-]+$/.test(type)) throw badValue(`has "${type}", which is no type like image/*`);
  return types.length === 0 ? () => true : anyOf(types);
}

/** Texts in which "*" stands for anything, upper and lower case being the same. */
function anyOf(patterns: readonly string[]): (text: string) => boolean {
  const whole = patterns.map((pattern) => {
    const parts = pattern.toLowerCase().split('*');
    return new RegExp(`^${parts.map((part) => part.replaceAll(/[.+^]/g, '\\$&')).join('.*')}$`, 's');
  });
  return (text) => whole.some((expression) => expression.test(text));
}

/** What the connection to an origin, or isync itself, says there. */
const OWN_HEADERS =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-.*|expect|host|range|if-.*|accept-encoding|via)$/;

/** Why a header may not be sent to an origin; goes on from its name, in lower case. */
export function headerFault(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return 'is no name of a header';
  return OWN_HEADERS.test(name) ? 'is a header that isync or the connection sets itself' : undefined;
}

/** A value of a header. Never shown: it may be a secret. */
export function parseHeaderValue(text: string): string {
  if (text === '' || !/^[\x20-\x7e]*$/.test(text)) throw badValue('is no value of printable ASCII');
  return text;
}
