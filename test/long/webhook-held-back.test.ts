import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { type BrokerName, BROKERS, startEventBroker } from '../../harness/event-broker.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { textOf } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

const KEY = 'a é+%41/b.txt';

interface Case {
  readonly name: BrokerName;
  /** What stands at the end; undefined: nothing. */
  readonly newer: string | undefined;
  readonly what: string;
}

await withS3Server((server) => {
  const cases = BROKERS.flatMap((name): Case[] => [
    { name, newer: 'newer', what: 'copies a newer version' },
    { name, newer: undefined, what: 'removes the object' },
  ]);
  test.each(cases)(
    'what stands at the end is right, though a worker on $name is held back in a copy while another one $what',
    async ({ name, newer }) => {
      await using broker = await startEventBroker(name);
      if (broker === undefined) return;
      await using front = await startS3Front(server.endpoint);
      await using stage = await startWebhookStage(server.env);
      const [source, target] = [await server.makeBucket(), await server.makeBucket()];
      await stage.configure({
        queue: broker.url,
        to: `s3://${target}`,
        sourceEndpoint: server.endpoint,
        targetEndpoint: server.endpoint,
        buckets: [source],
      });
      const read = () => textOf(server, target, KEY);
      const tell = async (event: string): Promise<void> => {
        const answer = await receiver.post(cephRecord({ event, bucket: source, key: KEY }));
        expect(answer.status).toBe(200);
      };
      const put = async (Body: string): Promise<void> => {
        await server.client.send(new PutObjectCommand({ Bucket: source, Key: KEY, Body }));
        await tell('ObjectCreated:Put');
      };
      await using receiver = await stage.start(['--role', 'receive']);
      // The bytes pass through it, to what it takes for another server.
      await using slow = await stage.start(['--role', 'work', '--target-endpoint', front.endpoint]);

      const [held, sent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      let isHeld = false;
      front.before = async ({ method }) => {
        if (method !== 'PUT' || isHeld) return;
        isHeld = true;
        slow.process.signal('SIGSTOP');
        held.resolve();
        await sent.promise;
      };
      await put('older');
      await held.promise;

      await using quick = await stage.start(['--role', 'work']);
      if (newer !== undefined) await put(newer);
      else {
        await server.client.send(new DeleteObjectCommand({ Bucket: source, Key: KEY }));
        await tell('ObjectRemoved:Delete');
      }
      // It gets the event as soon as the broker gives up on the one that stands still, if that got it.
      await quick.process.until('the newer event to be done', async () =>
        newer === undefined ? /"(?:unchanged|removed)"/.test(quick.process.stderr) : (await read()) === newer,
      );
      sent.resolve();
      slow.process.signal('SIGCONT');
      await slow.process.until('the older copy to be written', () =>
        front.answered.some(({ method, status }) => method === 'PUT' && status === 200),
      );
      await slow.process.until('the newer state', async () => (await read()) === newer);
      await slow.process.until('the queue to be empty', async () => {
        const { waiting, inHand } = await stage.counts();
        return waiting + inHand === 0;
      });
      for (const { process } of [slow, quick, receiver])
        expect(await process.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
      expect(await read()).toBe(newer);
    },
  );
});
