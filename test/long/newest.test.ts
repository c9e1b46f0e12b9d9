import { rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startStage } from '../../harness/stage.ts';

const QUIET = ['--quiet', '0.5'];

test.each([
  { by: 'birthtime', newest: 'DC9' },
  { by: 'mtime', newest: 'DC10' },
  { by: 'name', newest: 'DC11' },
])('the newest by $by stays open', async ({ by, newest }) => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  let lastMs = 0;
  for (const name of ['DC11', 'DC10', 'DC9']) {
    // In another tick of the file system's clock each.
    for (let bornMs = lastMs; bornMs <= lastMs;) {
      await rm(join(edge.root, name), { recursive: true, force: true });
      await edge.write({ [`${name}/x`]: 1 });
      bornMs = (await stat(join(edge.root, name))).birthtimeMs;
    }
    lastMs = (await stat(join(edge.root, name))).birthtimeMs;
  }
  const now = Date.now() / 1000;
  for (const name of ['DC9', 'DC11']) await utimes(join(edge.root, name), now - 60, now - 60);
  await utimes(join(edge.root, 'DC10'), now - 30, now - 30);
  await edge.scan([...QUIET, '--newest', by]);
  // Once more: what isync has written itself must not make another one the newest.
  await edge.scan([...QUIET, '--newest', by]);
  expect(['DC9', 'DC10', 'DC11'].filter((name) => !edge.sealed(name))).toEqual([newest]);
  expect(await edge.differences()).toEqual([]);
});
