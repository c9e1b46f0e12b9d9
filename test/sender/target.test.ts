import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalTarget } from '../../src/sender/local/local-target.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { openS3Store } from '../../src/store/s3/s3-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { vi } from 'vitest';
import { withS3Server, type S3Server } from '../services/s3-server.ts';
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

/** A prefix of its own in one bucket for all. */
async function openBucket(server: S3Server, bucket: Promise<string>): Promise<Store> {
  for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
  return openS3Store({ bucket: await bucket, prefix: randomUUID(), endpoint: server.endpoint });
}

await withS3Server((server) => {
  let bucket: Promise<string> | undefined;
  const open = (): Promise<Store> => openBucket(server, (bucket ??= server.makeBucket()));
  targetSuite('local, S3 store', async () => localFixture(await open(), async () => {}));
  targetSuite('ws, S3 store', async () => receiverFixture(await open(), retry));
});
