import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { storeSuite } from '../suites/store.ts';
import type { StoreSetup } from '../suites/store/subject.ts';

const FILES_ON_DISK = 3000;

storeSuite(
  'the file store',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
    return {
      like: 'folder',
      open: () => openFileStore(folder),
      async empty() {
        for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  },
  FILES_ON_DISK,
);

for (const like of ['folder', 'bucket'] as const)
  storeSuite(`the memory store, like a ${like}`, async () => inMemory(like));

function inMemory(like: 'folder' | 'bucket'): StoreSetup {
  const contents = createMemoryContents();
  return {
    like,
    open: async () => createMemoryStore(contents, { like }),
    async empty() {
      contents.files.clear();
      contents.folders.clear();
      contents.partials.clear();
      contents.id = undefined;
    },
    [Symbol.asyncDispose]: async () => contents.files.clear(),
  };
}
