import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { targetSuite } from '../suites/target.ts';
import { BRIEF, localFixture } from './local-fixture.ts';
import { receiverFixture } from './receiver-fixture.ts';

/** Each is synced. What thousands need, and two targets more, are asked for in test/long. */
const DURABLE = 300;

async function withFolder<T>(use: (folder: string, remove: () => Promise<void>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
  return use(folder, () => rm(folder, { recursive: true, force: true }));
}

targetSuite('local, memory store', async () => localFixture(createMemoryStore(), async () => {}));
targetSuite('ws, memory store', () => receiverFixture(createMemoryStore(), BRIEF));
targetSuite(
  'local, file store',
  () => withFolder(async (folder, remove) => localFixture(await openFileStore(folder), remove)),
  { many: DURABLE },
);
