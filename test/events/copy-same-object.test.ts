import { describe, expect, it } from 'vitest';
import { attributesFor, isCopyOf } from '../../src/events/action/copy/same-object.ts';
import { isSameServer } from '../../src/events/action/copy/servers.ts';
import type { ObjectFacts } from '../../src/s3/look.ts';

const MD5 = 'd41d8cd98f00b204e9800998ecf8427e';
const OTHER = '0cc175b9c0f1b6a831c399e269772661';
const SHA256 = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

function object(more: Partial<ObjectFacts> = {}): ObjectFacts {
  return {
    size: 9,
    modifiedMs: 0,
    etag: MD5,
    metadata: {},
    headers: {},
    versionId: undefined,
    encryption: undefined,
    hasCustomerKey: false,
    storageClass: undefined,
    checksums: {},
    tagCount: 0,
    ...more,
  };
}

describe('what the target has is a copy', () => {
  const kms = { etag: OTHER, encryption: 'aws:kms' };
  it.each<[string, boolean, Partial<ObjectFacts>, Partial<ObjectFacts>]>([
    ['of the same MD5', true, {}, {}],
    ['not of another one', false, {}, { etag: OTHER }],
    [
      'not of another one, whatever it says',
      false,
      {},
      { etag: OTHER, metadata: { 'isync-source-etag': MD5 } },
    ],
    ['not of another size', false, {}, { size: 8 }],
    ['of the same parts', true, { etag: `${MD5}-2` }, { etag: `${MD5}-2` }],
    ['not of parts that are cut otherwise', false, { etag: `${MD5}-2` }, { etag: `${MD5}-3` }],
    [
      'that says what it was made of',
      true,
      { etag: `${MD5}-2` },
      { etag: OTHER, metadata: { 'isync-source-etag': `${MD5}-2` } },
    ],
    [
      'of an earlier version, as it says',
      false,
      { etag: `${MD5}-2` },
      { metadata: { 'isync-source-etag': `${OTHER}-2` } },
    ],
    ['under a key of KMS, where nothing tells', false, {}, kms],
    ['under a key of KMS, by its digest', true, { checksums: { SHA256 } }, { ...kms, checksums: { SHA256 } }],
    ['not with other metadata', false, { metadata: { a: '1' } }, {}],
    ['not with another type', false, { headers: { contentType: 'text/x' } }, {}],
    [
      'where no type was given',
      true,
      { headers: { contentType: 'binary/octet-stream' } },
      { headers: { contentType: 'application/octet-stream' } },
    ],
  ])('%s: %s', (_, expected, from, to) => {
    expect(isCopyOf(object(to), object(from))).toBe(expected);
  });
});

it('a copy says what it was made of, unless its metadata are full', () => {
  const metadata = { a: '1', 'isync-source-etag': 'of the copy before' };
  expect(attributesFor(object({ metadata }), true).metadata).toEqual({
    a: '1',
    'isync-source-etag': MD5,
    'isync-origin-etag': 'of the copy before',
  });
  expect(attributesFor(object({ metadata }), false).metadata).toEqual({
    a: '1',
    'isync-origin-etag': 'of the copy before',
  });
  const full = { a: 'x'.repeat(2000) };
  expect(attributesFor(object({ metadata: full }), true).metadata).toEqual(full);
});

it.each([
  [true, undefined, undefined],
  [true, undefined, 'https://s3.eu-west-1.amazonaws.com'],
  [false, undefined, 'https://s3.example.com'],
  [true, 'https://S3.example.com', 'https://s3.example.com.:443/'],
  [false, 'http://s3.example.com', 'http://s3.example.com:8080'],
  [true, 'http://localhost:7480', 'http://127.0.0.1:7480'],
])('one server: %s for %s and %s', (expected, a, b) => {
  expect(isSameServer({ endpoint: a }, { endpoint: b })).toBe(expected);
});
