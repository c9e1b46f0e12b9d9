import { describe, expect, it } from 'vitest';
import { createExcludes } from '../../src/backup/pack/exclude.ts';

describe('what is left out', () => {
  it.each([
    ['*.tmp', ['a.tmp', 'x/y/.a.tmp'], ['a.tmp.b', 'tmp']],
    ['**/*.tmp', ['a.tmp', 'x/y/a.tmp'], ['a.TMP']],
    ['node_modules', ['node_modules', 'x/node_modules'], ['node_modules2', 'x/node_modules/a']],
    ['cache/**', ['cache/a', 'cache/.b/c'], ['x/cache/a']],
    ['/cache', ['cache'], ['x/cache', 'cache2']],
    ['cache/', ['cache', 'x/cache'], []],
    ['a/*/c', ['a/b/c'], ['a/b/d/c', 'a/c']],
    ['{a,b}.log', ['a.log', 'x/b.log'], ['c.log']],
    ['[xy]', ['x', 'a/y'], ['z', 'xy']],
    [String.raw`\[x\]`, ['[x]'], ['x']],
  ])('by %s', (glob, out, stays) => {
    const excludes = createExcludes([glob]);
    expect(out.filter((path) => !excludes(path))).toEqual([]);
    expect(stays.filter((path) => excludes(path))).toEqual([]);
  });

  it('is nothing without globs, and what any of them says', () => {
    expect(createExcludes([])('a')).toBe(false);
    expect(createExcludes(['a', 'b/c'])('b/c')).toBe(true);
  });
});
