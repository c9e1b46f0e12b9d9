import { createServer } from 'node:http';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';
import { startMirrorServer } from '../../harness/mirror-server.ts';
import { startNatsServer } from '../../harness/nats-server.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startSqsProxy } from '../../harness/sqs-proxy.ts';
import { startSqsServer } from '../../harness/sqs-server.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage } from '../../harness/webhook-stage.ts';
import { documentedMetrics, StatusOf } from './status-of.ts';

const STATUS = ['--status', '127.0.0.1:0'];
const TOKEN = 'a-token-that-nobody-guesses-0123456789';
const CREATED = { event: 'ObjectCreated:Put', bucket: 'bucket' };

/** A pull of a queue, of a bucket at `s3Endpoint`. */
async function startPull(s3Endpoint: string) {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryFolder('alarms-pull'));
  const sqs = stack.use(await startSqsServer());
  const queue = await sqs.makeQueue();
  const proxy = stack.use(await startSqsProxy(sqs.endpoint));
  proxy.longestWaitS = 1;
  const settings = {
    queue: queue.name,
    sqsEndpoint: proxy.endpoint,
    s3Endpoint,
    minFree: '1MiB',
    sync: { 'a/': join(folder, 'a') },
    state: join(folder, 'state'),
    exec: ['true'],
  };
  const config = join(folder, 'pull.yaml');
  await writeFile(config, JSON.stringify(settings));
  const env = { ...sqs.env, AWS_REGION: sqs.region };
  const pull = stack.use(startCli(['pull', '--config', config, '--json', ...STATUS], { env }));
  const url = await pull.until('the page', () => /"status":"([^"]+)"/.exec(pull.stdout)?.[1]);
  const owned = stack.move();
  const dispose = async () => await owned.disposeAsync();
  return { queue, proxy, page: new StatusOf(url, pull), [Symbol.asyncDispose]: dispose };
}

/** Also: what each serves as metrics is what docs/ops tells. */
describe.concurrent('a plug of events that is pulled shows within a minute, with a cure', () => {
  it('the queue of a pull is gone, and comes back', async ({ expect }) => {
    await using pull = await startPull('http://127.0.0.1:1');
    pull.proxy.fault = () => 'cut';
    expect((await pull.page.alarm('QUEUE_GONE')).severity).toBe('critical');
    expect(await pull.page.readiness()).toBe(503);
    expect((await pull.page.report()).activity).toBe('waiting for link');
    pull.proxy.fault = undefined;
    await pull.page.over('QUEUE_GONE');
  });

  it('records of a pull are parked', async ({ expect }) => {
    await using pull = await startPull('http://127.0.0.1:1');
    expect(await pull.page.metricNames()).toEqual(await documentedMetrics('pull'));
    await pull.queue.send(['no event at all']);
    expect(await pull.page.alarm('PARKED')).toMatchObject({
      severity: 'warning',
      text: '1 record could not be worked on and waits for a person.',
      cure: expect.stringContaining('isync pull parked list'),
    });
  });

  it('the bucket of a pull is away', async ({ expect }) => {
    await using pull = await startPull(`http://127.0.0.1:${await freePort()}`);
    const keys = Array.from({ length: 10 }, (_, index) => `a/${index}`);
    await pull.queue.send(keys.map((key) => cephRecord({ ...CREATED, key })));
    expect((await pull.page.alarm('EVENTS_WAIT')).severity).toBe('critical');
    expect(await pull.page.readiness()).toBe(503);
  });

  it.skipIf(lacks('nats-server'))('the queue of a webhook is gone, and comes back', async ({ expect }) => {
    await using nats = await startNatsServer();
    await using stage = await startWebhookStage();
    await writeFile(stage.at('token'), TOKEN, { mode: 0o600 });
    const settings = { tokenFile: stage.at('token'), attempts: 1, state: stage.at('state') };
    await stage.configure({
      script: await stage.script('exit 1'),
      queue: `${nats.url}/EVENTS`,
      ...settings,
    });
    await using webhook = await stage.start(STATUS);
    const page = new StatusOf(webhook.statusUrl, webhook.process);
    expect(await page.metricNames()).toEqual(await documentedMetrics('webhook'));
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await webhook.post(cephRecord({ ...CREATED, key: 'k' }), { headers })).status).toBe(200);
    await page.alarm('DEAD_LETTERS');
    await nats.kill();
    expect((await page.alarm('QUEUE_GONE')).severity).toBe('critical');
    expect(await page.readiness()).toBe(503);
    await nats.start();
    await page.over('QUEUE_GONE');
    await page.alarm('DEAD_LETTERS');
  });
});

await withS3Server((server) => {
  it('the bucket of a mirror and its origin are away: both show within a minute, with a cure', async ({
    expect,
  }) => {
    await using front = await startS3Front(server.endpoint);
    await using folder = await temporaryFolder('alarms-mirror');
    const bucket = await server.makeBucket();
    const origin = createServer((_, response) => void response.writeHead(500).end()).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const { port } = origin.address() as AddressInfo;
    const rules = [{ origins: [`http://127.0.0.1:${port}/old`], allowPrivate: 'true' }];
    const settings = { bucket: `s3://${bucket}/pre`, rules };
    try {
      await using mirror = await startMirrorServer(
        { endpoint: front.endpoint, env: server.env },
        { settings, folder: folder.path, args: STATUS },
      );
      const page = new StatusOf(mirror.status ?? '', mirror.process);
      expect((await page.report()).alarms).toEqual([]);
      expect(await page.metricNames()).toEqual(await documentedMetrics('mirror'));
      // Its breaker opens once enough of them have failed.
      await mirror.process.until('the origin to be left alone', async () => {
        await (await fetch(`${mirror.url}/${Math.random()}`)).body?.cancel();
        return (await page.report()).alarms.some(({ code }) => code === 'ORIGIN_GONE');
      });
      expect((await page.alarm('ORIGIN_GONE')).severity).toBe('warning');
      front.refuse = () => ({ status: 403, code: 'AccessDenied' });
      expect((await page.alarm('STORE_GONE')).severity).toBe('critical');
      expect(await page.readiness()).toBe(503);
      front.refuse = undefined;
      await page.over('STORE_GONE');
    } finally {
      origin.closeAllConnections();
      origin.close();
    }
  });
});
