import { expect, it } from 'vitest';
import { createSelection } from '../../src/fetch/selection.ts';

const PATHS = ['DC1/a.log', 'DC1/sub/b.log', 'DC1/.hidden', 'DC2/DC1/c', 'DC2/d.bin'];

it.each([
  [[], PATHS],
  [['*.log'], ['DC1/a.log', 'DC1/sub/b.log']],
  [['DC1'], ['DC1/a.log', 'DC1/sub/b.log', 'DC1/.hidden', 'DC2/DC1/c']],
  [['/DC1/'], ['DC1/a.log', 'DC1/sub/b.log', 'DC1/.hidden']],
  [['DC1/*'], ['DC1/a.log', 'DC1/sub/b.log', 'DC1/.hidden']],
  [['DC1/*.log'], ['DC1/a.log']],
  [['DC1/**/*.log'], ['DC1/a.log', 'DC1/sub/b.log']],
  [
    ['*.bin', '.hidden'],
    ['DC1/.hidden', 'DC2/d.bin'],
  ],
  [['dc1'], []],
])('%j names %j', (globs, named) => {
  expect(PATHS.filter(createSelection(globs))).toEqual(named);
});

it.each([[''], ['/'], ['a[b'], ['!a'], ['x'.repeat(2000)]])('%j is refused', (glob) => {
  expect(() => createSelection([glob])).toThrow(expect.objectContaining({ code: 'USAGE' }));
});
