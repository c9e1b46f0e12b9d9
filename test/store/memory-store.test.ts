import { createMemoryContents, createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { storeSuite } from '../suites/store.ts';

storeSuite('the memory store', async () => {
  const contents = createMemoryContents();
  return {
    open: async () => createMemoryStore(contents),
    [Symbol.asyncDispose]: async () => contents.files.clear(),
  };
});
