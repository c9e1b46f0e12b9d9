import { expect, it } from 'vitest';
import type { ListedPart } from '../../../src/s3/multipart.ts';
import { furthest, PartLedger } from '../../../src/store/s3/part-ledger.ts';

const SIZE = 10;

async function* listed(
  ...parts: [number: number, etag: string, size?: number][]
): AsyncGenerator<ListedPart> {
  for (const [number, etag, size = SIZE] of parts) yield { number, etag, size, modifiedMs: 0 };
}

/** Of an upload with these parts handed over, and those with the numbers arrived. */
function boundariesOf(etags: readonly string[], ...arrived: number[]) {
  const ledger = new PartLedger();
  etags.forEach((etag, index) => ledger.handOver(etag, `digest ${index + 1}`));
  for (const number of arrived) ledger.arrived(number, etags[number - 1]!);
  return ledger.boundaries();
}

const sizeOf = (): number => SIZE;

it('goes on after a part that arrived but whose arrival nobody was told of', async () => {
  const boundaries = boundariesOf(['a', 'b', 'c'], 1);
  expect(await furthest(boundaries, sizeOf, listed([1, 'a'], [2, 'b'], [3, 'c']))).toEqual({
    boundary: expect.objectContaining({ parts: 3, digest: 'digest 3' }),
    etags: ['a', 'b', 'c'],
  });
});

it.each([
  ['a gap', listed([1, 'a'], [3, 'c']), 1],
  ['another content', listed([1, 'a'], [2, 'X'], [3, 'c']), 1],
  ['another size', listed([1, 'a'], [2, 'b', 9], [3, 'c']), 1],
  ['more parts than were handed over', listed([1, 'a'], [2, 'b'], [3, 'c'], [4, 'd']), 3],
])('goes on before %s', async (_, parts, expected) => {
  const found = await furthest(boundariesOf(['a', 'b', 'c'], 1), sizeOf, parts);
  expect(found?.boundary.parts).toBe(expected);
  expect(found?.etags).toHaveLength(expected);
});

it('finds nothing where there is nothing', async () => {
  const boundaries = boundariesOf(['a', 'b']);
  expect(await furthest(boundaries, sizeOf, listed())).toBeUndefined();
  expect(await furthest([], sizeOf, listed([1, 'a']))).toBeUndefined();
  expect(await furthest(boundaries, sizeOf, listed([1, 'X'], [2, 'b']))).toBeUndefined();
});

it('tells of parts from the first one that is missing on', () => {
  expect(boundariesOf(['a', 'b', 'c', 'd'], 1, 2, 4).map(({ parts }) => parts)).toEqual([2, 3, 4]);
  expect(boundariesOf(['a', 'b', 'c', 'd'], 4, 3, 2, 1).map(({ parts }) => parts)).toEqual([4]);
});

it('goes on with a ledger of an earlier process', async () => {
  const earlier = boundariesOf(['a', 'b'], 1, 2);
  const ledger = new PartLedger(earlier[0], ['a', 'b']);
  ledger.handOver('c', 'digest 3');
  ledger.arrived(3, 'c');
  expect(ledger.etags).toEqual(['a', 'b', 'c']);
  expect(ledger.boundaries()).toEqual(boundariesOf(['a', 'b', 'c'], 1, 2, 3));
});

it('waits for the answer where ETags are not foretold', async () => {
  const ledger = new PartLedger();
  for (const etag of ['a', 'b', 'c']) ledger.handOver(etag, `digest of ${etag}`);
  ledger.arrived(1, 'opaque 1');
  expect(ledger.boundaries().map(({ parts }) => parts)).toEqual([1]);
  ledger.arrived(2, 'opaque 2');
  const parts = listed([1, 'opaque 1'], [2, 'opaque 2'], [3, 'opaque 3']);
  const found = await furthest(ledger.boundaries(), sizeOf, parts);
  expect(found?.boundary).toMatchObject({ parts: 2, digest: 'digest of b' });
});
