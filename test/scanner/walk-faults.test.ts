/** What no quiet disk shows: a tree that changes between two system calls, a folder that can't be read to its end. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type * as nodeFs from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { list, makeRoot, write } from './support.ts';

const faults = vi.hoisted(() => ({
  beforeOpen: undefined as ((path: string) => void) | undefined,
  /** Called before each read of a folder, with the number of reads of it so far. */
  beforeRead: undefined as ((path: string, reads: number) => void) | undefined,
}));

vi.mock('node:fs', async (importActual) => {
  const fs = await importActual<typeof nodeFs>();
  return {
    ...fs,
    opendirSync: (path: string, options: object) => {
      faults.beforeOpen?.(path);
      const dir = fs.opendirSync(path, options);
      let reads = 0;
      return {
        readSync: () => {
          faults.beforeRead?.(path, reads++);
          return dir.readSync();
        },
        closeSync: () => dir.closeSync(),
      };
    },
  };
});

afterEach(() => {
  faults.beforeOpen = undefined;
  faults.beforeRead = undefined;
});

function fail(code: string): never {
  throw Object.assign(new Error(`${code}: injected`), { code });
}

function makeTree(): string {
  const root = makeRoot();
  write(root, 'DC1/a');
  for (const name of ['1', '2', '3']) write(root, `DC1/sub/${name}`);
  write(root, 'elsewhere/secret');
  return root;
}

test('a symlink that takes a folder’s place before it is opened is not followed', async () => {
  const root = makeTree();
  faults.beforeOpen = (path) => {
    if (!path.endsWith('/sub')) return;
    renameSync(path, `${root}/moved`);
    symlinkSync('../elsewhere', path);
  };
  const { paths, problems, totals } = await list(root);
  expect([paths, problems, totals.subfolders, totals.gone]).toEqual([['DC1/a'], [], 0, false]);
});

test('nor one that takes the data directory’s place', async () => {
  const root = makeTree();
  faults.beforeOpen = (path) => {
    renameSync(path, `${root}/moved`);
    symlinkSync('elsewhere', path);
  };
  const { batches, totals } = await list(root);
  expect([batches, totals.gone]).toEqual([[], true]);
});

test('a folder that becomes a file before it is opened is no problem', async () => {
  const root = makeTree();
  faults.beforeOpen = (path) => {
    if (!path.endsWith('/sub')) return;
    rmSync(path, { recursive: true });
    writeFileSync(path, '');
  };
  const { paths, problems } = await list(root);
  expect([paths, problems]).toEqual([['DC1/a'], []]);
});

// Where readdir(3) tells no file types Node looks itself, and a file that has just gone makes the read fail.
test.each(['ENOENT', 'EIO'])(
  'a read that fails with %s though the folder is there is a problem',
  async (code) => {
    const root = makeTree();
    faults.beforeRead = (path, reads) => {
      if (path.endsWith('/sub') && reads === 1) fail(code);
    };
    const { paths, problems, totals } = await list(root);
    expect(paths).toHaveLength(2);
    expect(problems).toEqual(['FILE_UNREADABLE DC1/sub']);
    expect(totals.gone).toBe(false);
  },
);

test('a read that fails because the folder is gone is no problem', async () => {
  const root = makeTree();
  faults.beforeRead = (path, reads) => {
    if (!path.endsWith('/sub') || reads !== 1) return;
    rmSync(path, { recursive: true });
    fail('ENOENT');
  };
  const { problems, totals } = await list(root);
  expect([problems, totals.gone]).toEqual([[], false]);
});

test('a process without file descriptors left has a problem, not an empty folder', async () => {
  const root = makeTree();
  faults.beforeOpen = (path) => {
    if (path.endsWith('/sub')) fail('EMFILE');
  };
  const { paths, problems } = await list(root);
  expect([paths, problems]).toEqual([['DC1/a'], ['FILE_UNREADABLE DC1/sub']]);
});

test('a file that goes away before it is looked at is no problem', async () => {
  const root = makeRoot();
  mkdirSync(`${root}/DC1`);
  for (const name of ['1', '2', '3']) write(root, `DC1/${name}`);
  // All three names have been fetched with the first read.
  faults.beforeRead = (path, reads) => {
    if (reads === 1) for (const name of ['1', '2', '3']) rmSync(`${path}/${name}`);
  };
  const { paths, problems, totals } = await list(root);
  expect(paths).toHaveLength(1);
  expect([problems, totals.gone]).toEqual([[], false]);
});
