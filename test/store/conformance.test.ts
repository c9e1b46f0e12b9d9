import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { storeSuite } from '../suites/store.ts';

storeSuite('the file store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
  return {
    open: () => openFileStore(folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
});

storeSuite('the memory store', async () => {
  const contents = createMemoryContents();
  return {
    open: async () => createMemoryStore(contents),
    [Symbol.asyncDispose]: async () => contents.files.clear(),
  };
});
