import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { rel } from '../scanner/support.ts';
import { PATIENT, receive, send, usingForTest } from './receiver-fixture.ts';
import { isMarked, optionsFor, setup } from './scan-fixture.ts';

const LARGE = 3_000_000;

/** Opens a target over `store`. */
type Open = (store: Store, replaceDamaged: boolean) => Promise<Target>;

const local: Open = async (store, replaceDamaged) =>
  usingForTest(
    createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT, replaceDamaged }),
  );
const wire: Open = async (store, replaceDamaged) => {
  const receiver = usingForTest(await receive(store));
  return usingForTest(send(receiver.url, PATIENT, { replaceDamaged }));
};

/** What a power cut leaves of a file: its times, and `content` where it was. */
function damage(path: string, content: Buffer): void {
  const { atime, mtime } = lstatSync(path);
  writeFileSync(path, content, { mode: 0o644 });
  utimesSync(path, atime, mtime);
}

describe.each([
  ['a folder', local],
  ['a receiver', wire],
])('a source that a power cut seems to have damaged, with %s as the target', (_, open) => {
  test.each([
    ['empty', 'content', Buffer.alloc(0)],
    ['of zeros', 'content', Buffer.alloc(7)],
    ['large and cut short', 'x'.repeat(LARGE), Buffer.alloc(LARGE - 1, 'x')],
    ['large and of zeros', 'x'.repeat(LARGE), Buffer.alloc(LARGE)],
  ])('is a problem of its directory, and goes only where that is asked for: %s', async (_what, good, bad) => {
    const { root, at, write } = setup();
    const folder = mkdtempSync(join(tmpdir(), 'isync-damage-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const store = usingForTest(await openFileStore(folder));
    const kept = (): Buffer => readFileSync(join(folder, 'edge1/DC1/a'));
    write('DC1/a', good);
    utimesSync(at('DC1/a'), 1_700_000_000, 1_700_000_000);
    await scan(optionsFor(root, await open(store, false)).options);
    rmSync(at('DC1/a'));
    writeFileSync(at('DC1/a'), good);
    utimesSync(at('DC1/a'), 1_700_000_000, 1_700_000_000);
    rmSync(at('DC1/finished.watch'), { force: true });
    damage(at('DC1/a'), bad);
    write('DC1/b');
    write('DC1/finished.parse');

    const first = await scan(optionsFor(root, await open(store, false)).options);
    expect(first.failure).toBeUndefined();
    expect(first.summary).toMatchObject({
      files: 1,
      directories: [{ name: 'DC1', sealed: false }],
      problems: [
        { path: 'DC1/a', code: 'SOURCE_DAMAGED', message: expect.stringMatching('--replace-damaged') },
      ],
    });
    expect(isMarked(at('DC1/a'))).toBe(false);
    expect(kept().equals(Buffer.from(good))).toBe(true);

    const second = await scan(optionsFor(root, await open(store, true)).options);
    expect(second.summary).toMatchObject({ files: 1, problemCount: 0, directories: [{ sealed: true }] });
    expect(kept().equals(bad)).toBe(true);
  });

  test('and has a mark all the same goes at the seal, only where that is asked for', async () => {
    const { root, at, write } = setup();
    const store = usingForTest(createMemoryStore());
    write('DC1/a', 'content');
    utimesSync(at('DC1/a'), 1_700_000_000, 1_700_000_000);
    await scan(optionsFor(root, await open(store, false)).options);
    damage(at('DC1/a'), Buffer.from('cont'));
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');

    const first = await scan(optionsFor(root, await open(store, false)).options);
    expect(first.summary.problems).toMatchObject([{ path: 'DC1/a', code: 'SOURCE_DAMAGED' }]);
    const second = await scan(optionsFor(root, await open(store, true)).options);
    expect(second.summary).toMatchObject({ files: 1, problemCount: 0, directories: [{ sealed: true }] });
    expect(await store.stat(rel('edge1/DC1/a'))).toMatchObject({ size: 4 });
  });
});
