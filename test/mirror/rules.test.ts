import { expect, it } from 'vitest';
import { MirrorRules, originKeyOf } from '../../src/mirror/rules.ts';
import { ruleOf } from './origin/origins.ts';

const images = ruleOf({
  name: 'images',
  matches: (key) => key.startsWith('img/'),
  key: { strip: 'img/', add: 'pictures/' },
});
const rest = ruleOf({ name: 'rest' });

function originKey(rule: typeof rest, path: string, query?: string): string | undefined {
  return originKeyOf(rule, { key: path, path, query })?.key;
}

it('the first rule that matches counts', () => {
  const rules = new MirrorRules([images, rest]);
  expect(rules.ruleOf('img/a.jpg')).toBe(images);
  expect(rules.ruleOf('a.jpg')).toBe(rest);
  expect(new MirrorRules([images]).ruleOf('a.jpg')).toBeUndefined();
  expect(rules.ruleOf('')).toBeUndefined();
});

it.each([
  ['tmp/**', 'tmp/a', true],
  ['tmp/**', 'tmp/a/b/.c', true],
  ['tmp/**', 'tmp/', true],
  ['tmp/**', 'tmp/a/', true],
  ['tmp/**', 'tmp//a', true],
  ['tmp/**', 'tmp/a b?*', true],
  ['tmp/**', 'tmpx/a', false],
  ['tmp/**', 'a/tmp/b', false],
  ['**/*.bak', 'a/b/c.bak', true],
  ['**/*.bak', 'c.bak', true],
  ['*.bak', 'a/c.bak', false],
])('except %s: %s is left alone: %s', (glob, key, isExcepted) => {
  expect(new MirrorRules([rest], [glob]).ruleOf(key) === undefined).toBe(isExcepted);
});

it('refuses a glob that can match nothing', () => {
  expect(() => new MirrorRules([rest], ['a[b'])).toThrow(/glob "a\[b"/);
});

it('names the key at the origin', () => {
  expect(originKey(images, 'img/a.jpg')).toBe('pictures/a.jpg');
  expect(originKey(images, 'img/')).toBe('pictures/');
  expect(originKey(rest, '/a')).toBe('/a');
  expect(originKey(ruleOf({ key: { strip: 'img/', add: '' } }), 'img/')).toBe('');
  expect(originKey(ruleOf({ key: { strip: 'img/', add: 'x/' } }), 'other')).toBe('x/other');
});

it.each([
  ['a', '', 'a../x'],
  ['a', '', 'a./x'],
  ['a', '', 'a..'],
  ['', '.', './x'],
  ['a', '.', 'a./x'],
])('asks nothing where strip "%s" and add "%s" make a way up of %s', (strip, add, path) => {
  expect(originKey(ruleOf({ key: { strip, add } }), path)).toBeUndefined();
});

it('makes the query a part of the key where it is passed on, and drops it elsewhere', () => {
  const passing = ruleOf({ query: 'pass', matches: (key) => key.startsWith('q/') });
  const rules = new MirrorRules([passing, rest], ['q/not']);
  expect(rules.keyOf('q/a', 'b=1')).toEqual({ key: 'q/a?b=1', path: 'q/a', query: 'b=1' });
  expect(rules.keyOf('q/a', undefined)).toEqual({ key: 'q/a', path: 'q/a', query: undefined });
  expect(rules.keyOf('a', 'b=1')).toEqual({ key: 'a', path: 'a', query: undefined });
  expect(rules.keyOf('q/not', 'b=1')).toEqual({ key: 'q/not', path: 'q/not', query: undefined });
  expect(rules.keyOf('q/a', 'x'.repeat(1024))).toBeUndefined();
  expect(rules.keyOf('q/a', 'b=/../c')).toBeUndefined();
});

it('never fills one key with what two requests are for', () => {
  const rules = new MirrorRules([ruleOf({ query: 'pass', matches: (key) => key === 'a' }), rest]);
  expect(rules.keyOf('a', 'b')?.key).toBe('a?b');
  expect(rules.ruleOf('a?b')).toBeUndefined();
  expect(new MirrorRules([rest]).ruleOf('a?b')).toBe(rest);
});

it('finds the key of what an origin lists', () => {
  const rules = new MirrorRules([images, rest], ['img/tmp/**']);
  expect(rules.keyFrom(images, 'pictures/a')?.key).toBe('img/a');
  expect(rules.keyFrom(images, 'other/a')).toBeUndefined();
  expect(rules.keyFrom(images, 'pictures/tmp/a')).toBeUndefined();
  expect(rules.keyFrom(images, 'pictures/../a')).toBeUndefined();
  expect(rules.keyFrom(rest, 'a')?.key).toBe('a');
  // The first rule has it.
  expect(rules.keyFrom(rest, 'img/a')).toBeUndefined();
});
