import { utimesSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import type { DirectoryWatch } from '../../src/watcher/directory-watch.ts';
import { follow, isMarked, OLD_SECONDS, setup } from './scan-fixture.ts';

/** A watch whose events are all lost. */
const deaf: DirectoryWatch = {
  helper: 'settle',
  settleMs: 20,
  knows: () => false,
  entering: () => undefined,
  changed: () => undefined,
  handled: () => undefined,
  listed: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};
vi.mock('../../src/watcher/watch-directory.ts', () => ({ watchDirectory: async () => deaf }));

test('the parser’s marker in the active directory is found soon, though its event was lost', async () => {
  const { root, target, at, write } = setup();
  write('DC1/a');
  // Settled at the first listing, for nobody tells of it later.
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  const { sealed } = follow(root, target);
  await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
  write('DC1/finished.parse');
  // The look at all directories, once a minute, would find it as well.
  await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
});
