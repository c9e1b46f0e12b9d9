import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import type { Store } from '../../src/store/store.ts';
import { BRIEF, localFixture } from '../sender/local-fixture.ts';
import { receiverFixture } from '../sender/receiver-fixture.ts';
import { targetSuite } from '../suites/target.ts';

async function openStore(): Promise<{ store: Store; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
  return {
    store: await openFileStore(folder),
    remove: async () => await rm(folder, { recursive: true, force: true }),
  };
}

targetSuite(
  'local, file store, of many files',
  async () => {
    const { store, remove } = await openStore();
    return localFixture(store, remove);
  },
  { many: 5000 },
);
targetSuite(
  'ws, file store, of many files',
  async () => {
    const { store, remove } = await openStore();
    return receiverFixture(store, BRIEF, {}, remove);
  },
  { many: 5000 },
);
