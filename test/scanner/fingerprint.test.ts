import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Fingerprint } from '../../src/scanner/fingerprint.ts';

type Thing = readonly [path: string, size: number, mtimeUs: number, ino: number];

function fingerprint(things: readonly Thing[]): string {
  const sum = new Fingerprint();
  for (const [path, ...numbers] of things) sum.add(path, ...numbers);
  return sum.toString();
}

const thing = fc.tuple(
  fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
  fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
  fc.nat({ max: Number.MAX_SAFE_INTEGER }),
);

describe('a fingerprint', () => {
  test('does not depend on the order', () => {
    fc.assert(
      fc.property(fc.array(thing), (things) => {
        expect(fingerprint(things.toReversed())).toBe(fingerprint(things));
      }),
    );
  });

  test('counts what is there twice', () => {
    fc.assert(
      fc.property(thing, (one) => {
        expect(fingerprint([one, one])).not.toBe(fingerprint([one]));
        expect(fingerprint([one, one])).not.toBe(fingerprint([]));
      }),
    );
  });

  test('depends on every bit of every number', () => {
    const base: Thing = ['DC1/file', 4096, 1_700_000_000_000_000, 123_456_789];
    const prints = new Set([fingerprint([base])]);
    for (const place of [1, 2, 3] as const)
      for (let bit = 0; bit < 53; bit++) {
        const changed: [string, number, number, number] = [...base];
        changed[place] = Number(BigInt(base[place]) ^ (1n << BigInt(bit)));
        prints.add(fingerprint([changed]));
      }
    expect(prints.size).toBe(1 + 3 * 53);
  });

  // 200,000 values in each 32-bit lane meet about 4.7 times by chance; many more would be a poor hash.
  test('spreads the names and times of a real directory over both lanes, each on its own', () => {
    const count = 200_000;
    const first = new Set<string>();
    const second = new Set<string>();
    const between = new Set<number>();
    for (let index = 0; index < count; index++) {
      const path = `DC1/file-${String(index).padStart(7, '0')}.raw`;
      const print = fingerprint([[path, 4096, 1_700_000_000_000_000 + index * 4000, 5_000_000 + index]]);
      first.add(print.slice(0, 8));
      second.add(print.slice(8));
      between.add(Number.parseInt(print.slice(0, 8), 16) ^ Number.parseInt(print.slice(8), 16));
    }
    expect(count - first.size).toBeLessThan(30);
    expect(count - second.size).toBeLessThan(30);
    expect(count - between.size).toBeLessThan(30);
  });

  test('of sums of many does not meet for sets that differ in one', () => {
    const things = Array.from({ length: 300 }, (_, index): Thing => [`DC1/${index}`, 1, index * 1000, index]);
    const prints = new Set(
      things.map((_, left) => fingerprint(things.filter((__, index) => index !== left))),
    );
    expect(prints.size).toBe(things.length);
  });
});
