import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startNode } from '../../harness/process.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import { post } from '../events/http-client.ts';

const FLOOD = fileURLToPath(new URL('webhook-flood.ts', import.meta.url));
/** As many connections as one address may have before it is admitted. */
const CLIENTS = 512;

it(`a queue that is full and ${CLIENTS} clients that try again at once leave pings, the log and memory alone`, async () => {
  await using stage = await startWebhookStage();
  await stage.configure({ role: 'receive', queueMax: 1, status: '127.0.0.1:0' });
  await using webhook = await stage.start();
  await using flood = startNode([FLOOD, String(webhook.port), String(CLIENTS), 'k']);
  const refused = async (): Promise<number> => {
    const text = await (await fetch(`${webhook.statusUrl}/metrics`)).text();
    return Number(/isync_webhook_requests_total\{status="503"\} (\d+)/.exec(text)?.[1] ?? 0);
  };
  await webhook.process.until('the storm', async () => (await refused()) > CLIENTS);
  const times: number[] = [];
  while (times.length < 100) {
    const before = performance.now();
    expect(await webhook.ask({ path: '/ping' })).toMatchObject({ status: 200 });
    times.push(performance.now() - before);
  }
  await webhook.process.until('a long storm', async () => (await refused()) > 10 * CLIENTS);
  // A machine that is slow, or does other things at the time, holds up some.
  const sorted = times.toSorted((a, b) => a - b);
  expect(sorted[49]).toBeLessThan(100);
  expect(sorted[94]).toBeLessThan(1000);
  const lines = webhook.process.stderr.trim().split('\n');
  expect(lines.length).toBeLessThan(10);
  expect(webhook.process.peakMemory()).toBeLessThan(200e6);
  const { stdout, exitCode } = await flood.stop('SIGTERM');
  expect(exitCode).toBe(0);
  expect(Number(/refused (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(5 * CLIENTS);
  expect(stdout.match(/answer 200/g)).toHaveLength(1);
  expect(await stage.counts()).toMatchObject({ waiting: 1 });
  expect((await webhook.process.stop('SIGTERM')).exitCode).toBe(0);
});

it('who sends too much learns it, though the connection ends with the answer', async () => {
  await using stage = await startWebhookStage();
  await stage.configure({ role: 'receive' });
  await using webhook = await stage.start();
  const tooLarge = Buffer.alloc(3 * 1024 * 1024, ' ');
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let count = 0; count < 20; count++)
        expect(await post(webhook.port, tooLarge)).toMatchObject({ status: 413 });
    }),
  );
});
