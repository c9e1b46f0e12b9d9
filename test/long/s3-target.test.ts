import { randomUUID } from 'node:crypto';
import type { Store } from '../../src/store/store.ts';
import { BRIEF, localFixture } from '../sender/local-fixture.ts';
import { receiverFixture } from '../sender/receiver-fixture.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { openStoreAt } from '../store/s3/stores.ts';
import { targetSuite } from '../suites/target.ts';

await withS3Server((server) => {
  let bucket: Promise<string> | undefined;
  const open = async (): Promise<Store> =>
    openStoreAt(server, { bucket: await (bucket ??= server.makeBucket()), prefix: randomUUID() });
  targetSuite('local, S3 store', async () => localFixture(await open(), async () => {}), { many: 5000 });
  targetSuite('ws, S3 store', async () => receiverFixture(await open(), BRIEF), { many: 5000 });
});
