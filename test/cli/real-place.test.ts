import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { realPlace } from '../../src/cli/real-place.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('the real place of a path', () => {
  it('is where links lead, also to what is not there yet', async () => {
    const folder = realpathSync(temporaryFolder());
    const at = (path: string): string => join(folder, path);
    mkdirSync(at('real/sub'), { recursive: true });
    symlinkSync('real', at('link'));
    symlinkSync('link/gone', at('dangling'));
    symlinkSync(at('dangling/deeper'), at('real/sub/second'));
    symlinkSync('../gone', at('real/sub/upwards'));
    const places = [
      ['link/sub', 'real/sub'],
      ['link/none', 'real/none'],
      ['dangling', 'real/gone'],
      ['dangling/x/y', 'real/gone/x/y'],
      ['link/sub/second', 'real/gone/deeper'],
      ['link/sub/upwards', 'real/gone'],
    ] as const;
    for (const [path, place] of places) expect([path, await realPlace(at(path))]).toEqual([path, at(place)]);
  });

  it('is the name where links lead to each other', async () => {
    const folder = realpathSync(temporaryFolder());
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    symlinkSync('c/d', join(folder, 'c'));
    for (const name of ['a', 'b/x', 'c', 'c/d/e'])
      expect(await realPlace(join(folder, name))).toBe(join(folder, name));
  });
});
