import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { storeSuite } from '../suites/store.ts';
import type { StoreSetup } from '../suites/store/subject.ts';

const FILES_ON_DISK = 3000;

for (const [by, readsDirectly, files] of [
  ['the thread pool', false, FILES_ON_DISK],
  ['its own thread', true, 1100],
] as const)
  storeSuite(`the file store, read by ${by}`, async () => inFolder(readsDirectly), files);

for (const like of ['folder', 'bucket'] as const)
  storeSuite(`the memory store, like a ${like}`, async () => inMemory(like));

async function inFolder(readsDirectly: boolean): Promise<StoreSetup> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
  return {
    like: 'folder',
    open: () => openFileStore(folder, { readsDirectly }),
    async empty() {
      for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true });
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

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
