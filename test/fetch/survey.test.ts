import { expect, it } from 'vitest';
import { Survey } from '../../src/fetch/survey.ts';
import { fileAt } from '../suites/store/files.ts';

function surveyed(depth: number, paths: readonly string[], most?: number): Survey {
  const survey = new Survey(depth, most);
  for (const [n, path] of paths.entries()) survey.add(fileAt(path, 10, n));
  return survey;
}

it('a store has devices, with their directories and how many of them are sealed', () => {
  const { branches, entries, files, bytes, left } = surveyed(0, [
    'edge2/DC1/a',
    'edge1/DC1/a',
    'edge1/DC1/finished.parse',
    'edge1/DC2/sub/finished.parse',
    'edge1/finished.parse',
    'stray',
  ]);
  expect({ files, bytes, left }).toEqual({ files: 6, bytes: 60, left: 0 });
  expect(branches).toEqual([
    { name: 'edge1', files: 4, bytes: 40, newestUs: 4, directories: 2, sealed: 1 },
    { name: 'edge2', files: 1, bytes: 10, newestUs: 0, directories: 1, sealed: 0 },
  ]);
  expect(entries.map(({ path }) => path)).toEqual(['stray']);
});

it('a device has directories, sealed or not', () => {
  const { branches } = surveyed(1, ['DC2/a', 'DC1/finished.parse', 'DC1/sub/x', 'DC3/sub/finished.parse']);
  expect(branches.map(({ name, files, sealed }) => ({ name, files, sealed }))).toEqual([
    { name: 'DC1', files: 2, sealed: 1 },
    { name: 'DC2', files: 1, sealed: 0 },
    { name: 'DC3', files: 1, sealed: 0 },
  ]);
});

it('a directory has files, at any depth', () => {
  const { branches, entries } = surveyed(2, ['sub/b', 'a']);
  expect(branches).toEqual([]);
  expect(entries.map(({ path }) => path)).toEqual(['a', 'sub/b']);
});

it.each([0, 1, 2])('remembers no more names than it may, and counts all: depth %i', (depth) => {
  const paths = Array.from({ length: 50 }, (_, n) => `n${n}/d${n}/f`);
  const { branches, entries, files, bytes, left } = surveyed(depth, paths, 10);
  expect({ files, bytes }).toEqual({ files: 50, bytes: 500 });
  expect(branches.length + entries.length).toBeLessThanOrEqual(10);
  expect(left).toBeGreaterThanOrEqual(40);
});
