/** Files whose mark came from elsewhere, and that the target does not take. */
import { chmodSync, existsSync, utimesSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { bound, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

const LATER_SECONDS = OLD_SECONDS + 10;

/** A root with one directory whose file has been sent. */
async function sentSetup() {
  const fixture = setup();
  const { root, target, at, write } = fixture;
  write('DC1/a', 'one');
  utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
  await scan(optionsFor(root, target).options);
  write('DC1/finished.parse');
  return fixture;
}

/** Writes the file anew, and marks it as `cp -p` would. */
function replace(path: string, content: string): void {
  writeFileSync(path, content);
  utimesSync(path, LATER_SECONDS, LATER_SECONDS);
  chmodSync(path, 0o664);
}

/** The target, as it takes no version of a file that it has. */
function immutable(target: Target) {
  const puts = { a: 0 };
  return {
    puts,
    target: {
      ...bound(target),
      put: async (file, options) => {
        if (file.entry.path !== 'DC1/a') return await target.put(file, options);
        if (++puts.a > 3)
          throw new IsyncError('INTERNAL', 'asked again and again', { path: file.entry.path });
        throw new IsyncError('IMMUTABLE', 'kept already with different content', { path: file.entry.path });
      },
    } satisfies Target,
  };
}

describe('a marked file that the target has in another version and does not replace', () => {
  test.each([
    ['as long', 'two'],
    ['longer', 'twenty'],
  ])('keeps its directory from being sealed, and is tried once: %s', async (_, content) => {
    const { root, target, at } = await sentSetup();
    replace(at('DC1/a'), content);
    const refusing = immutable(target);
    const { summary, failure } = await scan(optionsFor(root, refusing.target).options);
    expect(failure).toBeUndefined();
    expect(summary.problems).toMatchObject([{ path: 'DC1/a', code: 'IMMUTABLE' }]);
    expect(existsSync(at('DC1/finished.watch'))).toBe(false);
    expect(refusing.puts.a).toBe(1);
  });
});

test('a marked file that takes the place of another one as long, once all were compared, is sent before the seal', async () => {
  const { root, target, at, store } = await sentSetup();
  let seals = 0;
  const late: Target = {
    ...bound(target),
    seal: async (directory, marker, options) => {
      await target.seal(directory, marker, options);
      if (++seals === 1) replace(at('DC1/a'), 'two');
    },
  };
  const { summary } = await scan(optionsFor(root, late).options);
  expect(summary.directories).toMatchObject([{ name: 'DC1', sealed: true }]);
  expect(await store.stat(parseRelPath('edge1/DC1/a'))).toMatchObject({ mtimeUs: LATER_SECONDS * 1e6 });
});

test.each([
  ['of few large directories at a time the target is asked what it has', 5, 1001, 4],
  ['a small directory does not wait until others were asked about', 12, 1, 12],
])('%s', async (_, directories, files, most) => {
  const { root, target, at, write } = setup();
  const names = Array.from({ length: directories }, (_, index) => `DC${index}`);
  for (const name of names) {
    for (let file = 0; file < files; file++) {
      write(`${name}/${file}`, 'one');
      replace(at(`${name}/${file}`), 'one');
    }
    write(`${name}/finished.parse`);
  }
  const asked = { now: 0, most: 0 };
  const counting: Target = {
    ...bound(target),
    async *list(prefix, options) {
      asked.most = Math.max(asked.most, ++asked.now);
      // All others that may ask do so meanwhile.
      for (let turn = 0; turn < 1000; turn++) await nextTurn();
      asked.now--;
      yield* target.list(prefix, options);
    },
  };
  const { summary } = await scan(optionsFor(root, counting).options);
  expect(summary.directories.filter(({ sealed }) => sealed)).toHaveLength(names.length);
  expect(asked.most).toBe(most);
});
