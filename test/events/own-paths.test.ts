import { expect, it } from 'vitest';
import { OwnPaths } from '../../src/events/match/own-paths.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';

const own = new OwnPaths();
for (const folder of ['/srv/all', '/srv/all/inner', '/srv/all/inner/most']) own.add(folder);

it.each([
  ['/srv/all', '.isync'],
  ['/srv/all', '.ISync/x'],
  ['/srv/all', 'inner/.isync/x'],
  ['/srv/all', 'Inner/.isync/x'],
  ['/srv/all', 'inner/most/.isync/x'],
  ['/srv/all/inner', '.isync/x'],
  ['/srv/all/inner', 'most/.isync/x'],
])('below %s, %s is isync’s own', (folder, path) => {
  expect(own.has(folder, parseRelPath(path))).toBe(true);
});

it.each([
  ['/srv/all', 'x/.isync'],
  ['/srv/all', '.isyncs'],
  ['/srv/all', 'x/.isync/inner'],
  ['/srv/all/inner/most', 'inner/.isync/x'],
])('below %s, %s is like any other', (folder, path) => {
  expect(own.has(folder, parseRelPath(path))).toBe(false);
});
