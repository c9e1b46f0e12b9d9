import { existsSync, readFileSync } from 'node:fs';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { postEvents } from '../../harness/ceph-events.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';

/** Events that Ceph keeps and posts again. */
const OBJECTS = 200;
const PINGS = 100;
/** Of pings, in ms, and the share of them that it holds for: a machine that does other things holds up one or the other. */
const [MOST_MS, SHARE] = [100, 0.95];
const MOST_LINES = 12;
/** Longest time until Ceph has delivered all once there is room, in ms: it looks at its own queue every few seconds. */
const DELIVERY_MS = 120_000;

function linesOf(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

await withS3Server((server) => {
  it(`a full queue and a Ceph that posts ${OBJECTS} events again and again leave pings and the log alone, and lose none`, async () => {
    await using stage = await startWebhookStage(server.env);
    const bucket = await server.makeBucket();
    const told = (): Set<string> => new Set(linesOf(stage.at('told')));
    await stage.configure({ queueMax: 20, script: await stage.script(`echo "$2" >> '${stage.at('told')}'`) });
    await using full = await stage.start(['--role', 'receive', '--status', '127.0.0.1:0']);
    const url = `http://127.0.0.1:${full.port}/webhook`;
    await postEvents(server, bucket, { name: `retries-${full.port}`, url, isPersistent: true });
    for (let index = 0; index < OBJECTS; index++)
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: `k${index}`, Body: `${index}` }));
    const refused = async (): Promise<number> => {
      const text = await (await fetch(`${full.statusUrl}/metrics`)).text();
      return Number(/isync_webhook_requests_total\{status="503"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    await full.process.until('Ceph to try again', async () => (await refused()) > 20, DELIVERY_MS);
    const times: number[] = [];
    const before = await refused();
    const beganMs = performance.now();
    while (times.length < PINGS) {
      const askedMs = performance.now();
      expect(await full.ask({ path: '/ping' })).toMatchObject({ status: 200 });
      times.push(performance.now() - askedMs);
    }
    await full.process.until('a longer storm', async () => (await refused()) > before + 100, DELIVERY_MS);
    const perSecond = ((await refused()) - before) / ((performance.now() - beganMs) / 1000);
    console.log(
      `${Math.round(perSecond)} refusals a second, pings ${times
        .toSorted((a, b) => a - b)
        .at(-1)
        ?.toFixed(0)} ms`,
    );
    expect(times.toSorted((a, b) => a - b)[Math.floor(PINGS * SHARE) - 1]).toBeLessThan(MOST_MS);
    expect(full.process.stderr.trim().split('\n').length).toBeLessThan(MOST_LINES);
    await using worker = await stage.start(['--role', 'work']);
    await worker.process.until('all events to be worked on', () => told().size === OBJECTS, DELIVERY_MS);
    expect((await full.process.stop('SIGTERM')).exitCode).toBe(0);
    expect((await worker.process.stop('SIGTERM')).exitCode).toBe(0);
  });
});
