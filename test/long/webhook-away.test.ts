import type { Socket } from 'node:net';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startS3Front, type S3Front, SLOW_DOWN } from '../../harness/s3-front.ts';
import { keysBelow } from '../../harness/s3-objects.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

/** Events for the target that is away: more than a worker takes ahead. */
const AWAY = 200;
/** Events of somebody else. */
const OTHERS = 20;
/** How long those may take, in ms: far less than any request waits for an answer. */
const OTHERS_MS = 40_000;

type IsOf = (url: string | undefined) => boolean;

/** How a target is away, for what concerns the keys of one bucket. */
const WAYS: Readonly<Record<string, (front: S3Front, isOf: IsOf, hung: Set<Socket>) => void>> = {
  'answers with 503': (front, isOf) => {
    front.refuse = ({ url }) => (isOf(url) ? SLOW_DOWN : undefined);
  },
  'cuts each connection': (front, isOf) => {
    front.before = ({ url, socket }) => {
      if (isOf(url)) socket.destroy();
      return undefined;
    };
  },
  'never answers': (front, isOf, hung) => {
    front.ignore = ({ url, socket }) => {
      const is = isOf(url);
      if (is) hung.add(socket);
      return is;
    };
  },
};

await withS3Server((server) => {
  test.each(Object.keys(WAYS))(
    'a target that %s for the objects of one bucket holds up no other bucket, and burns no attempts',
    async (way) => {
      await using front = await startS3Front(server.endpoint);
      await using stage = await startWebhookStage(server.env);
      const [away, here, target] = [
        await server.makeBucket(),
        await server.makeBucket(),
        await server.makeBucket(),
      ];
      await stage.configure({
        to: `s3://${target}`,
        sourceEndpoint: server.endpoint,
        targetEndpoint: front.endpoint,
        buckets: [away, here],
        attempts: 2,
      });
      await using webhook = await stage.start();
      let isAway = true;
      let asked = 0;
      const hung = new Set<Socket>();
      const isOf: IsOf = (url) => {
        const is = isAway && url?.startsWith(`/${target}/away/`) === true;
        if (is) asked += 1;
        return is;
      };
      WAYS[way]!(front, isOf, hung);
      const tell = async (bucket: string, key: string): Promise<void> => {
        await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: key }));
        const answer = await webhook.post(cephRecord({ event: 'ObjectCreated:Put', bucket, key }));
        expect(answer.status).toBe(200);
      };
      for (let index = 0; index < AWAY; index++) await tell(away, `away/${index}`);
      await webhook.process.until('the target to be tried', () => asked >= 5);

      const began = performance.now();
      for (let index = 0; index < OTHERS; index++) await tell(here, `here/${index}`);
      await webhook.process.until(
        'the others to be done',
        async () => (await keysBelow(server, target, 'here/')).length === OTHERS,
        OTHERS_MS,
      );
      console.log(`${way}: ${OTHERS} others in ${Math.round(performance.now() - began)} ms, ${asked} tries`);
      expect(await keysBelow(server, target, 'away/')).toEqual([]);

      // As a server that is started again.
      isAway = false;
      for (const socket of hung) socket.destroy();
      await webhook.process.until(
        'all to be done',
        async () => (await keysBelow(server, target, 'away/')).length === AWAY,
      );
      await webhook.process.until('the queue to be empty', async () => {
        const { waiting, inHand } = await stage.counts();
        return waiting + inHand === 0;
      });
      expect(await stage.counts()).toMatchObject({ dead: 0 });
      expect(await webhook.process.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
    },
  );
});
