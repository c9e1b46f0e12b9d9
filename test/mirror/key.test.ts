import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeKey, hasDotSegment, keyFault, parseTarget } from '../../src/mirror/key.ts';

describe('the target of a request', () => {
  it.each([
    ['/a/b.jpg', 'a/b.jpg'],
    ['/a%20b', 'a b'],
    ['/a+b', 'a+b'],
    ['/%C3%A4', 'ä'],
    ['//evil.example/x', '/evil.example/x'],
    ['/a//b/', 'a//b/'],
    ['/a%2Fb', 'a/b'],
    ['/a%3Fb', 'a?b'],
    ['/%252e%252e/x', '%2e%2e/x'],
    ['/...', '...'],
    ['/a../.b', 'a../.b'],
    [`/${'x'.repeat(1024)}`, 'x'.repeat(1024)],
    [`/${'%C3%A4'.repeat(512)}`, 'ä'.repeat(512)],
  ])('%s names a key, decoded once', (target, path) => {
    expect(parseTarget(target)).toEqual({ kind: 'key', path, query: undefined });
  });

  it('keeps the query as it was sent', () => {
    expect(parseTarget('/a?b=%2e%2E&c=?/')).toEqual({ kind: 'key', path: 'a', query: 'b=%2e%2E&c=?/' });
    expect(parseTarget('/a?')).toEqual({ kind: 'key', path: 'a', query: undefined });
  });

  it('names nothing that could be an object where it is the root', () => {
    expect(parseTarget('/')).toEqual({ kind: 'empty' });
    expect(parseTarget('/?a=b')).toEqual({ kind: 'empty' });
  });

  it.each([
    ['*'],
    [''],
    ['a'],
    ['http://host/a'],
    ['?a'],
    ['/.'],
    ['/..'],
    ['/a/../b'],
    ['/a/./b'],
    ['/a/..'],
    ['/%2e%2e/a'],
    ['/%2E/a'],
    ['/a%2F..%2Fb'],
    ['/a%5C..%5Cb'],
    ['/..%5Cb'],
    ['/a%00'],
    ['/a%0D%0AHost:%20b'],
    ['/%7F'],
    ['/%C2%85'],
    ['/%ff'],
    ['/%C0%AF'],
    ['/%ED%A0%80'],
    ['/%'],
    ['/%4'],
    ['/%zz'],
    ['/a b'],
    ['/a#b'],
    ['/a?b#c'],
    ['/a?b c'],
    ['/\u00e4'],
    [`/${'x'.repeat(1025)}`],
    [`/${'%C3%A4'.repeat(512)}x`],
    [`/${'%41'.repeat(1025)}`],
  ])('refuses %s', (target) => {
    expect(parseTarget(target)).toMatchObject({ kind: 'refused' });
  });

  it('takes shorter keys alone where the bucket has a prefix', () => {
    expect(parseTarget('/1234', 4)).toMatchObject({ kind: 'key' });
    expect(parseTarget('/12345', 4)).toMatchObject({ kind: 'refused' });
  });
});

it('an encoded key is decoded to itself, and a URL leaves it as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      const encoded = encodeKey(key);
      expect(encoded).toMatch(/^[A-Za-z0-9._~/%-]*$/);
      expect(decodeURIComponent(encoded)).toBe(key);
      const { host, pathname } = new URL(`http://h/base/${encoded}`);
      expect([host, hasDotSegment(key) || pathname]).toEqual(['h', hasDotSegment(key) || `/base/${encoded}`]);
    }),
    { numRuns: 2_000 },
  );
});

it('tells why a key of a list can be none', () => {
  expect(keyFault('a/b')).toBeUndefined();
  expect(keyFault('')).toBe('is empty');
  expect(keyFault('\ud800')).toBe('is not well-formed Unicode');
  expect(keyFault('a\nb')).toBe('has a control character');
  expect(keyFault('a/../b')).toBe('has a "." or ".." segment');
  expect(keyFault('abc', 2)).toBe('is longer than 2 bytes');
});
