import { describe, expect, it } from 'vitest';
import { damageMessage, damageOf, isAllZeros } from '../../src/model/damage.ts';

const kept = { size: 100, mtimeUs: 1_700_000_000_000_000 };

describe('a version of the kept one’s mtime', () => {
  it.each([
    ['is damaged where it is shorter', { size: 99 }, false, 'shorter'],
    ['is damaged where it is empty', { size: 0 }, true, 'shorter'],
    ['is damaged where it is as long and nothing but zeros', {}, true, 'zeros'],
    [
      'is damaged where its time is off by what a double loses',
      { size: 0, mtimeUs: kept.mtimeUs - 1 },
      true,
      'shorter',
    ],
    ['is another one of the same tick where it is as long', {}, false, undefined],
    ['is newer where it grew', { size: 101 }, false, undefined],
    ['is newer where it grew with zeros', { size: 101 }, true, undefined],
  ])('%s', (_, changes, zeros, damage) => {
    expect(damageOf(kept, { ...kept, ...changes }, zeros)).toBe(damage);
  });
});

it.each([2, -2, 1_000_000])('of an mtime %i µs off is another version, whatever it holds', (us) => {
  const mtimeUs = kept.mtimeUs + us;
  expect(damageOf(kept, { size: 0, mtimeUs }, true)).toBeUndefined();
  expect(damageOf(kept, { size: 100, mtimeUs }, true)).toBeUndefined();
});

it('two empty ones are the same', () => {
  const empty = { ...kept, size: 0 };
  expect(damageOf(empty, empty, true)).toBeUndefined();
});

it('the message tells both sizes and the cure', () => {
  const message = damageMessage(kept, { ...kept, size: 7 }, 'shorter');
  expect(message).toMatch(/it has 7 bytes, and the target keeps 100 bytes of the same time/);
  expect(message).toMatch(/--replace-damaged/);
  expect(damageMessage(kept, kept, 'zeros')).toMatch(/100 bytes of nothing but zeros/);
});

describe('content', () => {
  it.each([0, 1, 65_535, 65_536, 65_537, 300_000])('of %i zeros is nothing but zeros', (size) => {
    const bytes = Buffer.alloc(size);
    expect(isAllZeros(bytes)).toBe(true);
    for (const at of [0, Math.trunc(size / 2), size - 1]) {
      if (at < 0 || at >= size) continue;
      bytes[at] = 1;
      expect(isAllZeros(bytes)).toBe(false);
      bytes[at] = 0;
    }
  });

  it('is looked at within its own bounds', () => {
    const around = Buffer.alloc(30, 1).fill(0, 10, 20);
    expect(isAllZeros(around.subarray(10, 20))).toBe(true);
    expect(isAllZeros(new Uint8Array(around.buffer, around.byteOffset + 10, 10))).toBe(true);
    expect(isAllZeros(around.subarray(10, 21))).toBe(false);
  });
});
