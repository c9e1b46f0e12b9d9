import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DataDirectory } from '../../src/scanner/data-directory.ts';
import { compareAge, newestOf } from '../../src/scanner/newest.ts';
import { rel } from './support.ts';

const NOW_MS = 1_000_000;

function directory(name: string, birthtimeMs = 0, mtimeMs = 0): DataDirectory {
  return { name: rel(name), birthtimeMs, mtimeMs, device: 1, inode: 1, seal: undefined, closed: false };
}

function order(directories: readonly DataDirectory[], by: 'birthtime' | 'mtime' | 'name'): string[] {
  return directories.toSorted(compareAge(by, NOW_MS)).map(({ name }) => name);
}

describe('the newest directory', () => {
  const a = directory('a', 3, 1);
  const b = directory('b', 2, 3);
  const c = directory('c', 1, 2);

  test('is the one that birthtime, mtime or name say', () => {
    expect(newestOf([a, b, c], 'birthtime', NOW_MS)).toBe(a);
    expect(newestOf([a, b, c], 'mtime', NOW_MS)).toBe(b);
    expect(newestOf([a, b, c], 'name', NOW_MS)).toBe(c);
  });

  test('is the last of the order, oldest first', () => {
    expect(order([a, b, c], 'birthtime')).toEqual(['c', 'b', 'a']);
    expect(order([a, b, c], 'mtime')).toEqual(['a', 'c', 'b']);
    expect(order([c, a, b], 'name')).toEqual(['a', 'b', 'c']);
  });

  test('is none from the future, where there is another', () => {
    const ahead = directory('ahead', NOW_MS + 60_000, NOW_MS + 60_000);
    for (const by of ['birthtime', 'mtime'] as const) {
      expect(newestOf([ahead, a, b], by, NOW_MS)).not.toBe(ahead);
      expect(order([a, ahead, b], by)[0]).toBe('ahead');
    }
    expect(newestOf([a, ahead, b], 'name', NOW_MS)).toBe(b);
    expect(newestOf([ahead], 'birthtime', NOW_MS)).toBe(ahead);
    const later = directory('later', NOW_MS + 61_000);
    expect(newestOf([later, ahead], 'birthtime', NOW_MS)).toBe(later);
  });

  test('of none is none', () => {
    expect(newestOf([], 'name', NOW_MS)).toBeUndefined();
  });

  test.each(['birthtime', 'mtime', 'name'] as const)('with equal %s goes by natural name order', (by) => {
    const names = ['DC10', 'DC9', 'DC1', 'DC 2', 'DC01', 'dc5', 'DC9b'];
    const directories = names.map((name) => directory(name));
    expect(newestOf([directory('DC10'), directory('DC9')], by, NOW_MS)?.name).toBe('DC10');
    const sorted = order(directories, by);
    expect(sorted.indexOf('DC01')).toBeLessThan(sorted.indexOf('DC1'));
    expect(sorted.indexOf('DC9')).toBeLessThan(sorted.indexOf('DC9b'));
    expect(sorted.indexOf('DC9b')).toBeLessThan(sorted.indexOf('DC10'));
    expect(order(directories.toReversed(), by)).toEqual(sorted);
  });

  test('is one and the same whatever the order they come in', () => {
    const name = fc.stringMatching(/^[DCdcé0-9 ]{1,5}$/).filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 6 }), (names) => {
        const directories = names.map((text) => directory(text));
        const sorted = order(directories, 'name');
        expect(order(directories.toReversed(), 'name')).toEqual(sorted);
        expect(newestOf(directories, 'name', NOW_MS)?.name).toBe(sorted.at(-1));
      }),
    );
  });
});
