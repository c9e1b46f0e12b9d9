import { encodeKey, keyFault, parseTarget } from '../key.ts';
import type { MirrorKey } from '../fill/fills.ts';
import type { MirrorRule, OriginAddress } from '../rule.ts';
import type { MirrorRules } from '../rules.ts';
import type { Candidate } from './candidate.ts';

const HTTP_URL = /^(https?:\/\/[^/?#]+)(\/.*)?$/is;
/** What a file has in the place of bytes that are not UTF-8. */
const NOT_UTF8 = '\ufffd';
/** A key that would be something else as a line. */
const UNLIKE_A_KEY = /^(?:\/|https?:\/\/|s3:\/\/|\ufeff)|[\p{Cc}\ufffd]/iu;

/**
 * What a line of a list names: a key of the mirror, the path of a request for it (as access logs have it, percent-encoded, with "/"
 * at its beginning), or the URL of an object at an origin of a rule.
 * @param keyBytes the longest key in bytes of UTF-8
 */
export function namedKey(rules: MirrorRules, line: string, keyBytes: number): Candidate {
  if (line.includes(NOT_UTF8)) return { kind: 'unusable', name: line, reason: 'is not UTF-8' };
  if (HTTP_URL.test(line)) return byUrl(rules, line, keyBytes);
  if (line.startsWith('/')) return byPath(rules, line, keyBytes);
  if (line.startsWith('s3://')) return byS3Url(rules, line, keyBytes);
  const { path, query } = rules.rules.some((rule) => rule.query === 'pass')
    ? splitQuery(line)
    : { path: line };
  return candidateOf(rules, line, path, query, keyBytes);
}

/** A line that names just this key, whatever it looks like. */
export function lineOf({ path, query }: Pick<MirrorKey, 'path' | 'query'>): string {
  const asked = query === undefined ? '' : `?${query}`;
  return `${UNLIKE_A_KEY.test(path) ? `/${encodeKey(path.toWellFormed())}` : path}${asked}`;
}

/** A key that begins with "/" has two of them there, as in a request. */
function byPath(rules: MirrorRules, line: string, keyBytes: number): Candidate {
  const parsed = parseTarget(encodeOthers(line), keyBytes);
  if (parsed.kind === 'refused') return { kind: 'unusable', name: line, reason: parsed.reason };
  if (parsed.kind === 'empty') return { kind: 'unusable', name: line, reason: 'names no object' };
  return candidateOf(rules, line, parsed.path, parsed.query, keyBytes);
}

function byUrl(rules: MirrorRules, line: string, keyBytes: number): Candidate {
  const [, server = '', target = '/'] = HTTP_URL.exec(line) ?? [];
  const host = originOf(server);
  if (host === undefined) return { kind: 'unusable', name: line, reason: 'is no URL' };
  for (const { rule, address } of addressesOf(rules)) {
    if (address.kind !== 'http') continue;
    const base = new URL(address.base);
    if (base.origin !== host || !target.startsWith(base.pathname)) continue;
    // Lists of people and programs have characters in them that must be encoded on their way.
    const rest = encodeOthers(target.slice(base.pathname.length));
    const parsed = parseTarget(`/${rest}`);
    if (parsed.kind === 'refused') return { kind: 'unusable', name: line, reason: parsed.reason };
    if (parsed.kind === 'empty')
      return { kind: 'unusable', name: line, reason: 'is the base, and names no object' };
    const found = rules.keyFrom(rule, parsed.path);
    if (found !== undefined) return candidateOf(rules, line, found.path, parsed.query, keyBytes);
  }
  return { kind: 'unruled', name: line };
}

function byS3Url(rules: MirrorRules, line: string, keyBytes: number): Candidate {
  for (const { rule, address } of addressesOf(rules)) {
    if (address.kind !== 's3') continue;
    const base = `s3://${address.bucket}/${address.prefix}`;
    if (!line.startsWith(base)) continue;
    const found = rules.keyFrom(rule, line.slice(base.length));
    if (found !== undefined) return candidateOf(rules, line, found.path, undefined, keyBytes);
  }
  return { kind: 'unruled', name: line };
}

function candidateOf(
  rules: MirrorRules,
  name: string,
  path: string,
  query: string | undefined,
  keyBytes: number,
): Candidate {
  const fault = keyFault(path, keyBytes);
  if (fault !== undefined) return { kind: 'unusable', name, reason: fault };
  const rule = rules.ruleOf(path);
  if (rule === undefined) return { kind: 'unruled', name };
  const key: MirrorKey | undefined = rules.keyOf(path, query, keyBytes);
  if (key === undefined)
    return { kind: 'unusable', name, reason: `is with its query longer than ${keyBytes} bytes` };
  return { kind: 'key', key, rule, origin: undefined, kept: 'unknown' };
}

function* addressesOf({ rules }: MirrorRules): Generator<{ rule: MirrorRule; address: OriginAddress }> {
  for (const rule of rules) for (const address of rule.origins) yield { rule, address };
}

function splitQuery(line: string): { readonly path: string; readonly query: string | undefined } {
  const mark = line.indexOf('?');
  if (mark === -1) return { path: line, query: undefined };
  return { path: line.slice(0, mark), query: line.slice(mark + 1) || undefined };
}

function originOf(server: string): string | undefined {
  return URL.canParse(server) ? new URL(server).origin : undefined;
}

function encodeOthers(text: string): string {
  return text.replaceAll(/[^!-~]+/g, (other) => encodeURIComponent(other.toWellFormed()));
}
