import { describe, expect, it } from 'vitest';
import { prefixOf } from '../../../src/mirror/bulk/by-prefix.ts';
import { linesOf } from '../../../src/mirror/bulk/lines.ts';
import { namedKey } from '../../../src/mirror/bulk/named-key.ts';
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
    [`img/${'x'.repeat(1021)}`, 'unusable'],
  ])('%s is %s', (line, kind) => {
    expect(namedKey(RULES, line, 1024)).toMatchObject({ kind, name: line });
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
