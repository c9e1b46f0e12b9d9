import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import type * as nodeFs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { makeDurable } from '../../src/sender/durable-source.ts';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { lacks } from '../../harness/tools.ts';
import { mapFile } from './mapped-writer.ts';
import { PATIENT, usingForTest } from './receiver-fixture.ts';
import { isMarked, optionsFor, setup } from './scan-fixture.ts';
import { SourceFolder } from './source-folder.ts';

const PATH = parseRelPath('DC1/a');
const OTHER = parseRelPath('DC1/b');
const noPython = lacks('python3');

const sync = vi.hoisted(() => ({ errno: '', most: 0, now: 0, synced: 0 }));

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof nodeFs>();
  const fdatasync = (fd: number, done: (error: Error | null) => void): void => {
    sync.now += 1;
    sync.synced += 1;
    sync.most = Math.max(sync.most, sync.now);
    fs.fdatasync(fd, (error) => {
      sync.now -= 1;
      done(sync.errno === '' ? error : Object.assign(new Error(sync.errno), { code: sync.errno }));
    });
  };
  return { ...fs, fdatasync };
});

let folder: SourceFolder;

beforeEach(() => {
  Object.assign(sync, { errno: '', most: 0, now: 0, synced: 0 });
  folder = usingForTest(new SourceFolder());
});

afterEach(() => void (sync.errno = ''));

describe('a file that is made durable', () => {
  test('is synced, and none of its times change', async () => {
    folder.write(PATH, 'content');
    const before = lstatSync(folder.path(PATH));
    await makeDurable(folder.root, PATH, 'live');
    const { mtimeMs, ctimeMs } = lstatSync(folder.path(PATH));
    expect(sync.synced).toBe(1);
    expect({ mtimeMs, ctimeMs }).toEqual({ mtimeMs: before.mtimeMs, ctimeMs: before.ctimeMs });
  });

  test.each(['EINVAL', 'ENOTSUP', 'EROFS'])('may lie on a file system that answers %s', async (errno) => {
    folder.write(PATH, 'content');
    sync.errno = errno;
    await expect(makeDurable(folder.root, PATH, 'live')).resolves.toBeUndefined();
  });

  test('is unreadable where the disk can’t write it', async () => {
    folder.write(PATH, 'content');
    sync.errno = 'EIO';
    await expect(makeDurable(folder.root, PATH, 'live')).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      path: PATH,
    });
  });

  test('must be there, and no symlink', async () => {
    await expect(makeDurable(folder.root, PATH, 'live')).rejects.toMatchObject({ code: 'FILE_VANISHED' });
    folder.write('elsewhere', 'content');
    folder.write('DC1/b', 'content');
    execFileSync('ln', ['-s', '../elsewhere', folder.path('DC1/link')]);
    await expect(makeDurable(folder.root, parseRelPath('DC1/link'), 'live')).rejects.toMatchObject({
      code: 'NOT_REGULAR',
    });
  });

  test('holds one of few descriptors, however many there are', async () => {
    const paths = Array.from({ length: 500 }, (_, n) => parseRelPath(`DC1/${n}`));
    for (const path of paths) folder.write(path, 'content');
    await Promise.all(
      paths.map((path, n) => makeDurable(folder.root, path, n % 2 === 0 ? 'live' : 'backlog')),
    );
    expect(sync.synced).toBe(500);
    expect(sync.most).toBeGreaterThan(1);
    expect(sync.most).toBeLessThanOrEqual(64);
  });

  test.skipIf(noPython)('gets new times by each later store through a memory map', async () => {
    folder.write(PATH, 'content');
    const map = await mapFile(folder.path(PATH));
    await makeDurable(folder.root, PATH, 'live');
    const before = lstatSync(folder.path(PATH)).mtimeMs;
    // The clock of a file system goes in steps of some milliseconds.
    await vi.waitUntil(() => {
      folder.write(OTHER, 'content');
      return lstatSync(folder.path(OTHER)).mtimeMs > before;
    }, 60_000);
    await map.store();
    expect(lstatSync(folder.path(PATH)).mtimeMs).toBeGreaterThan(before);
  });
});

describe('a scan', () => {
  test('syncs each file before it has a mark, and the parser’s marker', async () => {
    const { root, at, write } = setup();
    for (const name of ['a', 'sub/b', 'c', 'finished.parse']) write(`DC1/${name}`);
    const store = createMemoryStore();
    const target = usingForTest(
      createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }),
    );
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 3, directories: [{ sealed: true }] });
    expect(sync.synced).toBe(4);
    expect(isMarked(at('DC1/a'))).toBe(true);
  });

  test('marks nothing that the disk could not write', async () => {
    const { root, target, at, write } = setup();
    write(PATH);
    write('DC1/finished.parse');
    sync.errno = 'EIO';
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 0, problems: [{ path: PATH, code: 'FILE_UNREADABLE' }] });
    expect(isMarked(at(PATH))).toBe(false);
  });

  test.skipIf(noPython)('sends a mapped file again that is stored into after its mark', async () => {
    const { root, target, at, write, kept } = setup();
    mkdirSync(at('DC1'));
    writeFileSync(at(PATH), 'content');
    const map = await mapFile(at(PATH));
    write('DC1/finished.parse');
    await scan(optionsFor(root, target).options);
    expect(await kept(PATH)).toBe(7);
    const before = lstatSync(at(PATH)).mtimeMs;
    await map.store();
    expect(lstatSync(at(PATH)).mtimeMs).toBeGreaterThan(before);
  });
});
