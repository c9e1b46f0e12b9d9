import { withS3Server } from '../../services/s3-server.ts';
import { storeSuite } from '../../suites/store.ts';
import { openStoreAt } from './stores.ts';

await withS3Server((server) => {
  let bucket: Promise<string> | undefined;
  let places = 0;
  storeSuite('the S3 store', async () => {
    places += 1;
    const prefix = `deep/in a+bucket/${places}`;
    bucket ??= server.makeBucket();
    const name = await bucket;
    return {
      open: () => openStoreAt(server, { bucket: name, prefix }),
      [Symbol.asyncDispose]: async () => {
        // The bucket goes with all that is in it.
      },
    };
  });
});
