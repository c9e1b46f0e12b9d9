import picomatch from 'picomatch/posix.js';
import { IsyncError } from '../model/isync-error.ts';
import type { MirrorKey } from './fill/fills.ts';
import { hasDotSegment, keyFault } from './key.ts';
import type { OriginKey } from './origin/origin.ts';
import type { MirrorRule } from './rule.ts';

/** Which rule a key has, and what it is called in the bucket and at the origin. Pure. */
export class MirrorRules {
  readonly rules: readonly MirrorRule[];
  readonly #isExcepted: (key: string) => boolean;
  readonly #passesQueries: boolean;

  /**
   * @param except globs of keys that are never filled (picomatch; `*` stays in its segment, `**` does not; a leading dot is nothing
   * special)
   * @throws IsyncError CONFIG_INVALID
   */
  constructor(rules: readonly MirrorRule[], except: readonly string[] = []) {
    this.rules = rules;
    this.#passesQueries = rules.some(({ query }) => query === 'pass');
    const globs = except.map(compile);
    this.#isExcepted = (key) => globs.some((glob) => glob.test(key));
  }

  /** The first rule that matches; undefined where none does, or the key is excepted. */
  ruleOf(path: string): MirrorRule | undefined {
    // With a query as a part of keys, `a?b` is the key of `/a` with the query `b`. `/a%3Fb` would bring another object for it.
    if (path === '' || this.#isExcepted(path) || (this.#passesQueries && path.includes('?')))
      return undefined;
    return this.rules.find(({ matches }) => matches(path));
  }

  /**
   * What a request is for.
   * @param keyBytes the longest key in bytes of UTF-8
   * @returns undefined where the query makes the key longer than that: a 400
   */
  keyOf(path: string, query: string | undefined, keyBytes?: number): MirrorKey | undefined {
    if (query === undefined || this.ruleOf(path)?.query !== 'pass')
      return { key: path, path, query: undefined };
    const key = `${path}?${query}`;
    return keyFault(key, keyBytes) === undefined ? { key, path, query } : undefined;
  }

  /**
   * The key that stands for what an origin of `rule` calls `originKey`; undefined where none does: another prefix, another rule, no
   * key.
   */
  keyFrom(rule: MirrorRule, originKey: string): MirrorKey | undefined {
    const { strip, add } = rule.key;
    if (!originKey.startsWith(add)) return undefined;
    const path = strip + originKey.slice(add.length);
    if (keyFault(path) !== undefined || this.ruleOf(path) !== rule) return undefined;
    return { key: path, path, query: undefined };
  }
}

/**
 * What a key is called at the origins of its rule. Undefined where cutting off `strip` leaves a way up, such as `../x` of `a../x`:
 * nothing is asked then, and there is no such object.
 */
export function originKeyOf({ key }: MirrorRule, { path, query }: MirrorKey): OriginKey | undefined {
  const rest = path.startsWith(key.strip) ? path.slice(key.strip.length) : path;
  const named = key.add + rest;
  return hasDotSegment(named) ? undefined : { key: named, query };
}

function compile(glob: string): RegExp {
  try {
    // Without `debug` a glob that can't be compiled is silently one that matches nothing.
    return picomatch.makeRe(glob, { dot: true, nonegate: true, strictBrackets: true, debug: true });
  } catch (error) {
    throw new IsyncError(
      'CONFIG_INVALID',
      `the glob "${glob}" can't be used: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
