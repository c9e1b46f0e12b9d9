import { describe, expect, it } from 'vitest';
import { prefixOf } from '../../../src/mirror/bulk/by-prefix.ts';
import { linesOf } from '../../../src/mirror/bulk/lines.ts';
import { lineOf, namedKey } from '../../../src/mirror/bulk/named-key.ts';
import { MirrorRules } from '../../../src/mirror/rules.ts';
import { all } from '../../s3/buckets.ts';
import { ruleOf } from '../origin/origins.ts';

const RULES = new MirrorRules(
  [
    ruleOf({
      matches: (key) => key.startsWith('img/'),
      key: { strip: 'img/', add: 'pictures/' },
      origins: [{ kind: 'http', base: 'https://old.example/base/' }],
    }),
    ruleOf({
      query: 'pass',
      origins: [
        { kind: 'http', base: 'http://other.example:8080/' },
        { kind: 's3', bucket: 'old', prefix: 'p/', access: {} },
      ],
    }),
  ],
  ['tmp/**'],
);

describe('a line of a list', () => {
  it.each([
    ['img/a', 'img/a'],
    ['https://old.example/base/pictures/a%20b', 'img/a b'],
    ['HTTPS://OLD.example:443/base/pictures/a b/ä', 'img/a b/ä'],
    ['https://old.example/base/pictures/a?x=1', 'img/a'],
    ['http://other.example:8080/a?x=1', 'a?x=1'],
    ['a?x=1', 'a?x=1'],
    ['s3://old/p/a b', 'a b'],
    ['/img/a%20b.jpg?x=1', 'img/a b.jpg'],
    ['/a%2Fb/ä?x=1', 'a/b/ä?x=1'],
    ['//a', '/a'],
  ])('%s names %s', (line, key) => {
    expect(namedKey(RULES, line, 1024)).toMatchObject({ kind: 'key', key: { key } });
  });

  it.each([
    ['tmp/x', 'unruled'],
    ['https://old.example/other/pictures/a', 'unruled'],
    ['https://old.example.evil/base/pictures/a', 'unruled'],
    ['https://old.example/base/other', 'unruled'],
    ['http://other.example/a', 'unruled'],
    ['s3://older/p/a', 'unruled'],
    ['../a', 'unusable'],
    ['https://old.example/base/pictures/%2e%2e/a', 'unusable'],
    ['https://old.example/base/%ff', 'unusable'],
    ['http://other.example:8080/', 'unusable'],
    ['/', 'unusable'],
    ['/a/../b', 'unusable'],
    ['/100%', 'unusable'],
    ['img/\ufffd', 'unusable'],
    [`img/${'x'.repeat(1021)}`, 'unusable'],
  ])('%s is %s', (line, kind) => {
    expect(namedKey(RULES, line, 1024)).toMatchObject({ kind, name: line });
  });
});

describe('a key in a list', () => {
  it.each([
    ['a b/c', undefined, 'a b/c'],
    ['a', 'x=1', 'a?x=1'],
    ['/a', undefined, '//a'],
    ['https://other.example/a', undefined, '/https%3A//other.example/a'],
    ['s3://old/p/a', undefined, '/s3%3A//old/p/a'],
    ['\ufeffa', 'x', '/%EF%BB%BFa?x'],
    ['img/\ufffd', undefined, '/img/%EF%BF%BD'],
  ])('%s?%s is named by %s', (path, query, line) => {
    expect(lineOf({ path, query })).toBe(line);
    expect(namedKey(RULES, line, 1024)).toMatchObject({ kind: 'key', key: { path, query } });
  });

  it('has one line, also where it can be no key', () => {
    expect(lineOf({ path: 'a\nimg/b', query: undefined })).toBe('/a%0Aimg/b');
    expect(namedKey(RULES, '/a%0Aimg/b', 1024)).toMatchObject({ kind: 'unusable' });
  });
});

describe('the lines of a file', () => {
  const chunks = async function* (text: string, size: number): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(text);
    for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
  };

  it.each([1, 2, 3, 7, 100])('are whole in chunks of %d bytes', async (size) => {
    const text = 'one\r\n\ntwo ä\u{1F600}\nthree\r';
    expect(await all(linesOf(chunks(text, size), 100, 'list'))).toEqual(['one', 'two ä\u{1F600}', 'three']);
  });

  it.each([1, 3, 100])(
    'are cut where nothing is said of what the file is, in chunks of %d bytes',
    async (size) => {
      const lines = linesOf(chunks(`one\n${'x'.repeat(50)}\ntwo\n${'y'.repeat(50)}`, size), 5, undefined);
      expect(await all(lines)).toEqual(['one', 'xxxxx', 'two', 'yyyyy']);
    },
  );

  it('begin behind the mark of UTF-8', async () => {
    expect(await all(linesOf(chunks('\ufeffone\n\ufefftwo', 4), 100, 'list'))).toEqual(['one', '\ufefftwo']);
  });

  it('may not be longer than any key', async () => {
    await expect(all(linesOf(chunks('ok\n123456', 2), 5, 'list'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('line 2'),
    });
  });
});

it.each([
  ['a', 1, ''],
  ['a/b', 1, 'a/'],
  ['a/b/c/d', 2, 'a/b/'],
  ['a/b', 3, 'a/'],
  ['/a', 1, '/'],
])('the prefix of %s with a depth of %d is %j', (key, depth, prefix) => {
  expect(prefixOf(key, depth)).toBe(prefix);
});
