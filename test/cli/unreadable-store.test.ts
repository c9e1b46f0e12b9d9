import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { stage } from '../fetch/fixture.ts';
import { isync } from './isync-process.ts';

const NOBODY = 65_534;

/** A store of which whoever runs `run` may not read all; root is let through by every mode, so it runs as somebody else then. */
function closedStore() {
  const { base, source, back } = stage({
    'edge1/DC1/a': 'a',
    'edge1/DC1/closed/b': 'b',
    'edge1/DC1/finished.parse': '',
    'edge1/DC2/c': 'c',
    'edge1/DC2/finished.parse': '',
  });
  mkdirSync(join(source, 'lost+found'));
  const closed = [join(source, 'lost+found'), join(source, 'edge1/DC1/closed')];
  for (const path of closed) chmodSync(path, 0);
  onTestFinished(() => {
    for (const path of closed) chmodSync(path, 0o700);
  });
  chmodSync(base, 0o755);
  chmodSync(back, 0o777);
  const uid = process.getuid?.() === 0 ? { uid: NOBODY } : {};
  const run = async (...args: string[]) => {
    const { code, stdout } = await isync([...args, '--json'], uid);
    return { code, summary: JSON.parse(stdout) as unknown };
  };
  return { source, back, run };
}

it("a folder that can't be read is a problem of its own, and the rest is listed", async () => {
  const { source, run } = closedStore();
  const problems = [{ code: 'FILE_UNREADABLE', path: 'edge1/DC1/closed' }];
  expect(await run('ls', source)).toMatchObject({
    code: 1,
    summary: { devices: [{ name: 'edge1', files: 4 }], problemCount: 1, problems },
  });
  expect(await run('ls', join(source, 'edge1/DC1'))).toMatchObject({
    code: 1,
    summary: { files: 2, problems: [{ path: 'closed' }] },
  });
  expect(await run('ls', join(source, 'edge1/DC1/closed'))).toMatchObject({ code: 5 });
});

it('the rest of it is fetched, without the finished.parse of its directory', async () => {
  const { source, back, run } = closedStore();
  expect(await run('fetch', source, back)).toMatchObject({
    code: 1,
    summary: {
      files: 3,
      problemCount: 1,
      problems: [{ code: 'FILE_UNREADABLE', path: 'edge1/DC1/closed' }],
    },
  });
  expect(readdirSync(join(back, 'edge1/DC1'))).toEqual(['a']);
  expect(readdirSync(join(back, 'edge1/DC2')).toSorted()).toEqual(['c', 'finished.parse']);
});
