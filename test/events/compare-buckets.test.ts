import { describe, expect, it } from 'vitest';
import { compareBuckets, type CompareBucketsOptions } from '../../src/events/compare/compare-buckets.ts';
import type { ListedObject } from '../../src/s3/objects.ts';

const MD5 = 'd41d8cd98f00b204e9800998ecf8427e';
const OTHER = '0cc175b9c0f1b6a831c399e269772661';
/** By the order of UTF-8; that of UTF-16 has the last two the other way round. */
const KEYS = ['a', 'a b', 'a/b', 'ä', '\uFFFD', '😀'];
const MINUTE = 60_000;

function object(key: string, more: Partial<ListedObject> = {}): ListedObject {
  return { key, size: 1, etag: MD5, modifiedMs: 0, ...more };
}

type Sides = Readonly<Record<string, readonly ListedObject[]>>;

function optionsFor(sides: Sides, more: Partial<CompareBucketsOptions> = {}): CompareBucketsOptions {
  const list = async function* (bucket: string, prefix: string) {
    for (const each of sides[bucket] ?? []) if (each.key.startsWith(prefix)) yield each;
  };
  return {
    source: { buckets: ['from'], prefix: '', list },
    target: { bucket: 'to', prefix: 'p/', list },
    isOneServer: true,
    removes: true,
    maxDelete: { percent: 100 },
    ...more,
  };
}

async function found(options: CompareBucketsOptions): Promise<string[]> {
  const all: string[] = [];
  for await (const { kind, bucket, key } of compareBuckets(options)) all.push(`${kind} ${bucket} ${key}`);
  return all;
}

const copied = (keys: readonly string[]): ListedObject[] => keys.map((key) => object(`p/${key}`));
const objects = (keys: readonly string[]): ListedObject[] => keys.map((key) => object(key));

describe('two buckets compared', () => {
  it('do not differ where each object has its copy, whatever the key', async () => {
    expect(await found(optionsFor({ from: objects(KEYS), to: copied(KEYS) }))).toEqual([]);
    expect(await found(optionsFor({ from: [], to: [] }))).toEqual([]);
  });

  it('differ by what is missing on either side; removals come last', async () => {
    const sides = { from: objects(['b', 'c', 'e']), to: [...copied(['a', 'c', 'd', 'f']), object('q')] };
    expect(await found(optionsFor(sides))).toEqual([
      'created from b',
      'created from e',
      'removed from a',
      'removed from d',
      'removed from f',
    ]);
    expect(await found(optionsFor(sides, { removes: false }))).toEqual(['created from b', 'created from e']);
  });

  it.each<[string, boolean, Partial<ListedObject>, Partial<ListedObject>, boolean?]>([
    ['another size', true, {}, { size: 2 }],
    ['another MD5', true, {}, { etag: OTHER }],
    ['other MD5s of as many parts', true, { etag: `${MD5}-2` }, { etag: `${OTHER}-2`, modifiedMs: 1 }],
    ['an MD5, and one of parts, older', true, { etag: `${MD5}-2`, modifiedMs: 1 }, {}],
    ['an MD5, and one of parts, younger', false, { etag: `${MD5}-2` }, { modifiedMs: 1 }],
    ['the same, on two servers a minute later', true, { etag: `${MD5}-2` }, { modifiedMs: MINUTE }, false],
    ['the same, an hour later', false, { etag: `${MD5}-2` }, { modifiedMs: 60 * MINUTE }, false],
    ['the same bytes, put again after the copy', true, { modifiedMs: 1 }, {}],
    ['the same bytes, on two servers', false, {}, {}, false],
  ])('%s: %s', async (_, differs, from, to, isOneServer = true) => {
    const sides = { from: [object('k', from)], to: [object('p/k', to)] };
    expect(await found(optionsFor(sides, { isOneServer }))).toEqual(differs ? ['created from k'] : []);
  });

  it('count all copies before any goes', async () => {
    const sides = { from: objects(['a', 'z']), to: copied(['a', 'b', 'c', 'd']) };
    const run = compareBuckets(optionsFor(sides, { maxDelete: { percent: 50 } }));
    expect(await run.next()).toMatchObject({ value: { kind: 'created', key: 'z' } });
    await expect(run.next()).rejects.toMatchObject({ code: 'RESYNC_STOPPED' });
    expect(await found(optionsFor(sides, { maxDelete: { files: 3 } }))).toHaveLength(4);
    // More than are kept are found by another walk.
    expect(await found(optionsFor(sides, { maxDelete: { files: 3 }, mostGone: 1 }))).toEqual([
      'created from z',
      'removed from b',
      'removed from c',
      'removed from d',
    ]);
  });

  it('are several sources together: a copy goes where none of them has its object', async () => {
    const options = optionsFor({
      one: objects(['a', 'c']),
      two: objects(['b', 'c']),
      to: copied(['a', 'b', 'c', 'd']),
    });
    expect(await found({ ...options, source: { ...options.source, buckets: ['one', 'two'] } })).toEqual([
      'removed one d',
    ]);
  });

  it('a listing that is not in the order of its keys compares with nothing', async () => {
    for (const keys of [
      ['b', 'a'],
      ['a', 'a'],
      ['\u{1F600}', '\uFFFD'],
    ])
      await expect(found(optionsFor({ from: objects(keys), to: [] }))).rejects.toMatchObject({
        code: 'STORE_FAILED',
        retryable: false,
      });
  });
});
