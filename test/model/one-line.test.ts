import { expect, it } from 'vitest';
import { oneLine } from '../../src/model/one-line.ts';

it('makes one line of several', () => {
  expect(oneLine('a\r\n  b \n\n\tc')).toBe('a b c');
  expect(oneLine('a  b')).toBe('a  b');
  expect(oneLine('')).toBe('');
});

it('takes no longer for a text of blanks', () => {
  // Where each run of them was looked at from each of its characters, this took hours.
  expect(oneLine(`a${' '.repeat(4_000_000)}b`)).toHaveLength(4_000_002);
});
