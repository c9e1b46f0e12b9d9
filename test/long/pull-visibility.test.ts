import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { until } from '../../harness/process.ts';
import { startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** After so long a message that nobody extends comes again, in s. */
const VISIBILITY_S = 6;
/** So often that long the work takes. */
const LONGER = 3;
const WAITING = 200;

await withS3Server((server) => {
  test(`work ${LONGER} times longer than the visibility timeout gives nobody else a message, nor one of ${WAITING} behind it`, async () => {
    await using front = await startS3Front(server.endpoint);
    const bucket = await server.makeBucket();
    const attributes = { VisibilityTimeout: String(VISIBILITY_S) };
    await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket, attributes });
    await stage.configure({ concurrency: 1 });
    const keys = Array.from({ length: WAITING + 1 }, (_, index) => `a/f${index}`);
    for (const key of keys) await stage.put(key, key);
    let free = (): void => {};
    const held = new Promise<void>((resolve) => (free = resolve));
    front.holdBody = () => held;
    await stage.queue.send(keys.map((key) => cephRecord({ event: 'ObjectCreated:Put', bucket, key })));

    await using pull = stage.start();
    await pull.until('all to be in hand', async () => (await stage.queue.inspect()).ready.length === 0);
    const ends = performance.now() + LONGER * VISIBILITY_S * 1000;
    const stolen: unknown[] = [];
    await until('another reader to have tried long enough', async () => {
      const command = new ReceiveMessageCommand({ QueueUrl: stage.queue.url, MaxNumberOfMessages: 10 });
      stolen.push(...((await stage.sqs.client.send(command)).Messages ?? []));
      return performance.now() > ends;
    });
    expect(stolen).toEqual([]);
    free();
    await pull.until('all to be done', async () => await stage.isDrained());
    expect(Object.keys(await textsBelow(stage.at('a')))).toHaveLength(WAITING + 1);
    expect(stage.acknowledged()).toBe(WAITING + 1);
  });
});
