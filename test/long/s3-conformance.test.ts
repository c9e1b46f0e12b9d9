import { DeleteObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { withS3Server } from '../../harness/s3-server.ts';
import { storeSuite } from '../suites/store.ts';
import { openStoreAt } from '../store/s3/stores.ts';

await withS3Server((server) => {
  let bucket: Promise<string> | undefined;
  let places = 0;
  storeSuite('the S3 store', async () => {
    places += 1;
    const prefix = `deep/in a+bucket/${places}`;
    bucket ??= server.makeBucket();
    const name = await bucket;
    return {
      like: 'bucket',
      async empty() {
        const below = { Bucket: name, Prefix: `${prefix}/` };
        for await (const { Contents = [] } of paginateListObjectsV2({ client: server.client }, below))
          for (const { Key } of Contents)
            await server.client.send(new DeleteObjectCommand({ Bucket: name, Key }));
      },
      open: () => openStoreAt(server, { bucket: name, prefix }),
      [Symbol.asyncDispose]: async () => {
        // The bucket goes with all that is in it.
      },
    };
  });
});
