import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { BRIEF } from '../sender/local-fixture.ts';
import { receiverFixture } from '../sender/receiver-fixture.ts';
import { telemetry } from '../sender/source-folder.ts';
import { targetSuite } from '../suites/target.ts';

/** Each is synced. */
const DURABLE = 300;

targetSuite(
  'ws, memory store, compressed',
  () => receiverFixture(createMemoryStore(), BRIEF, { compress: true }),
  { contentOf: telemetry },
);
targetSuite(
  'ws, file store',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'isync-store-'));
    const remove = () => rm(folder, { recursive: true, force: true });
    return await receiverFixture(await openFileStore(folder), BRIEF, {}, remove);
  },
  { many: DURABLE },
);
