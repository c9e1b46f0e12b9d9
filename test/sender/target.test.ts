import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalTarget } from '../../src/sender/local/local-target.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { withS3Server } from '../services/s3-server.ts';
import { openStoreAt } from '../store/s3/stores.ts';
import { DEVICE, targetSuite, type TargetFixture } from '../suites/target.ts';
import { recordingStore } from './recording-store.ts';
import { receiverFixture } from './receiver-fixture.ts';

const retry = { giveUpAfterMs: 10_000, firstDelayMs: 5, longestDelayMs: 50 };

function localFixture(inner: Store, cleanUp: () => Promise<void>): TargetFixture {
  const store = recordingStore(inner);
  const target = createLocalTarget(store, { device: DEVICE, digest: 'xxh64', retry });
  return {
    target,
    store,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await cleanUp();
    },
  };
}

async function withFolder<T>(use: (folder: string, remove: () => Promise<void>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
  return use(folder, () => rm(folder, { recursive: true, force: true }));
}

targetSuite('local, memory store', async () => localFixture(createMemoryStore(), async () => {}));
targetSuite('ws, memory store', () => receiverFixture(createMemoryStore(), retry));
targetSuite('local, file store', () =>
  withFolder(async (folder, remove) => localFixture(await openFileStore(folder), remove)),
);
targetSuite('ws, file store', () =>
  withFolder(async (folder, remove) => receiverFixture(await openFileStore(folder), retry, remove)),
);

await withS3Server((server) => {
  let bucket: Promise<string> | undefined;
  const open = async (): Promise<Store> =>
    openStoreAt(server, { bucket: await (bucket ??= server.makeBucket()), prefix: randomUUID() });
  targetSuite('local, S3 store', async () => localFixture(await open(), async () => {}));
  targetSuite('ws, S3 store', async () => receiverFixture(await open(), retry));
});
