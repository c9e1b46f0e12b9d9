import { expect, it } from 'vitest';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { Keys } from '../../../src/store/s3/keys.ts';
import { mtimeOf, toMetadata } from '../../../src/store/s3/metadata.ts';
import { fileAt } from '../../suites/store/files.ts';

const path = parseRelPath('edge1/DC1/ä b+c');

it('names objects as their paths, below the prefix', () => {
  expect(new Keys('a/b').keyFor(path)).toBe('a/b/edge1/DC1/ä b+c');
  expect(new Keys('').keyFor(path)).toBe('edge1/DC1/ä b+c');
  expect(new Keys('a/b').pathOf('a/b/edge1/DC1/ä b+c')).toBe(path);
});

it.each([
  'a/bx/f',
  'f',
  'a/b',
  'a/b/',
  'a/b/folder/',
  'a/b//f',
  'a/b/../f',
  'a/b/.isync/uploads/x',
  'a/b/.ISYNC/x',
])('takes %j for no file of the store', (key) => {
  expect(new Keys('a/b').pathOf(key)).toBeUndefined();
});

it('refuses its own folder, and keys of more than 1,024 bytes', () => {
  const refused = (prefix: string, path: string): unknown => {
    try {
      return new Keys(prefix).keyFor(parseRelPath(path));
    } catch (error) {
      return error;
    }
  };
  for (const own of ['.isync', '.isync/f', '.Isync/f'])
    expect(refused('', own)).toMatchObject({ code: 'BAD_PATH', retryable: false });
  const long = `${`${'é'.repeat(100)}/`.repeat(5)}${'x'.repeat(17)}`;
  expect(refused('p', long)).toBe(`p/${long}`);
  expect(refused('pp', long)).toMatchObject({ code: 'BAD_PATH', path: long, hint: expect.any(String) });
});

it('gives each version of each path a state of its own, all of a path together', () => {
  const keys = new Keys('p');
  const file = fileAt('d/f', 7, 1);
  expect(keys.stateKeyOf(file)).toMatch(/^p\/\.isync\/uploads\/[0-9a-f]{32}\/[0-9a-f]{32}$/);
  expect(keys.stateKeyOf(file).startsWith(keys.statesOf(file.path))).toBe(true);
  const others = [file, fileAt('d/f', 8, 1), fileAt('d/f', 7, 2), fileAt('d/g', 7, 1)];
  expect(new Set(others.map((each) => keys.stateKeyOf(each))).size).toBe(4);
});

it.each([
  [0, '0.000000'],
  [1_700_000_000_123_456, '1700000000.123456'],
  [-1, '-0.000001'],
  [-1_500_001, '-1.500001'],
])('writes the mtime %i µs as rclone does', (mtimeUs, text) => {
  const metadata = toMetadata(fileAt('edge1/DC1/f', 1, mtimeUs), {});
  expect(metadata).toEqual({ mtime: text, mode: '100644', 'isync-device': 'edge1' });
  expect(mtimeOf(metadata)).toBe(mtimeUs);
});

it('reads what others write as an mtime, and nothing else', () => {
  expect(mtimeOf({ mtime: '1700000000' })).toBe(1_700_000_000_000_000);
  expect(mtimeOf({ mtime: '1700000000.123456789' })).toBe(1_700_000_000_123_457);
  for (const mtime of ['', 'yesterday', '1e9', '1.', '0x10', '1700000000.1234567891', '99999999999999'])
    expect(mtimeOf({ mtime })).toBeUndefined();
  expect(mtimeOf({})).toBeUndefined();
});
