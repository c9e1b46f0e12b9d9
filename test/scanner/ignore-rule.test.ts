import { describe, expect, test } from 'vitest';
import { DEFAULT_IGNORE } from '../../src/model/default-ignore.ts';
import { createIgnoreRule } from '../../src/scanner/ignore-rule.ts';

function ignores(pattern: string, path: string): boolean {
  return createIgnoreRule([pattern])(path);
}

describe('an ignore pattern', () => {
  test.each([
    ['*.tmp', 'DC1/x.tmp'],
    ['*.tmp', 'DC1/.x.tmp'],
    ['*.tmp', 'DC1/deep/er/x.tmp'],
    ['*.tmp', 'DC1/line\nbreak.tmp'],
    ['.*.swp', 'DC1/.x.swp'],
    ['*', 'DC1/anything'],
    ['x?.{a,b}', 'DC1/x1.b'],
    ['[0-9]*', 'DC1/7up'],
    ['!(a).raw', 'DC1/b.raw'],
    ['a\\*b', 'DC1/a*b'],
    ['sub/*.log', 'DC1/sub/x.log'],
    ['/x.log', 'DC1/x.log'],
    ['scratch/**', 'DC1/scratch/deep/x'],
    ['**/cache/**', 'DC1/a/cache/x'],
  ])('%s matches %s', (pattern, path) => {
    expect(ignores(pattern, path)).toBe(true);
  });

  test.each([
    ['*.tmp', 'DC1/x.tmp.raw'],
    ['*.tmp', 'DC1/x.TMP'],
    ['*.tmp', 'DC1/folder.tmp/x'],
    ['*.tmp', 'DC.tmp/x'],
    ['.*.swp', 'DC1/x.swp'],
    ['sub/*.log', 'DC1/x.log'],
    ['sub/*.log', 'DC1/sub/deep/x.log'],
    ['sub/*.log', 'DC1/other/sub/x.log'],
    ['/x.log', 'DC1/sub/x.log'],
    ['DC1/*', 'DC1/x'],
  ])('%s does not match %s', (pattern, path) => {
    expect(ignores(pattern, path)).toBe(false);
  });

  test.each(['', '/', '[ab', '(a', '{a', '[z-a]', '!*.raw', '!x', '/!x', 'sub/', 'x'.repeat(70_000)])(
    '%s is refused',
    (pattern) => {
      expect(() => createIgnoreRule(['*.ok', pattern])).toThrow(
        expect.objectContaining({ name: 'IsyncError', code: 'CONFIG_INVALID' }),
      );
    },
  );

  test('none ignores nothing', () => {
    expect(createIgnoreRule([])('DC1/x.tmp')).toBe(false);
  });

  test('by default takes files in progress', () => {
    const rule = createIgnoreRule(DEFAULT_IGNORE);
    expect(
      ['x.tmp', 'x.part', '.x.swp', 'x.raw', '.x', 'finished.parse'].map((name) => rule(`DC1/${name}`)),
    ).toEqual([true, true, true, false, false, false]);
  });
});
