import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { CLI_MAIN, CLI_NODE } from '../../harness/cli.ts';
import { startNode, until } from '../../harness/process.ts';
import { Random } from '../../harness/random.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage, type WebhookStage } from '../../harness/webhook-stage.ts';
import { openEventQueue } from '../../src/events/queue/open-event-queue.ts';
import { RecordingLog } from '../recording-log.ts';
import { mountTmpfs } from '../store/tmpfs.ts';
import { parseTrace } from '../store/system-calls.ts';

/** Storms in whose middle the receiver is killed; several receivers, each with a queue of its own, share them. */
const KILLS = Number(process.env['ISYNC_TEST_WEBHOOK_KILLS'] ?? 200);
const RECEIVERS = 4;
const CLIENTS = 16;

const put = (key: string): string => cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key });

/** Keys of all that is in the queue of a stage that nobody works on. */
async function keysIn(
  stage: WebhookStage,
  file = stage.at('webhook.yaml.state/queue.db'),
): Promise<Set<string>> {
  await using queue = await openEventQueue(file, {
    works: true,
    maxMessages: 1_000_000,
    minFreeBytes: 0,
    log: new RecordingLog(),
  });
  const keys = new Set<string>();
  for (let { waiting } = await queue.counts(); waiting > 0; { waiting } = await queue.counts())
    for (const delivery of await queue.receive()) {
      keys.add(keyIn(delivery.body));
      await delivery.ack();
    }
  return keys;
}

function keyIn(body: string): string {
  const { Records } = JSON.parse(body) as { Records: { s3: { object: { key: string } } }[] };
  return Records[0]?.s3.object.key ?? '';
}

describe('an event that was answered with 2xx', () => {
  it(`is kept though the receiver is killed in the middle of ${KILLS} storms`, async () => {
    const lives = async (_: unknown, receiver: number): Promise<number> => {
      const random = new Random(receiver);
      await using stage = await startWebhookStage();
      await stage.configure({ role: 'receive', logLevel: 'error' });
      const accepted: string[] = [];
      for (let life = 0; life < KILLS / RECEIVERS; life++) {
        await using webhook = await stage.start();
        const over = new AbortController();
        const agent = new Agent({ keepAlive: true });
        const client = async (_each: unknown, number: number): Promise<void> => {
          for (let count = 0; !over.signal.aborted; count++) {
            const key = `${life}-${number}-${count}`;
            const answer = await webhook.post(put(key), { agent }).catch(() => undefined);
            if (answer?.status === 200) accepted.push(key);
          }
        };
        const clients = Promise.all(Array.from({ length: CLIENTS }, client));
        const before = accepted.length;
        await webhook.process.until('the storm to have begun', () => accepted.length > before);
        await delay(random.below(60));
        await webhook.process.kill();
        over.abort();
        await clients;
        agent.destroy();
      }
      const kept = await keysIn(stage);
      expect(accepted.filter((key) => !kept.has(key))).toEqual([]);
      return accepted.length;
    };
    const counts = await Promise.all(Array.from({ length: RECEIVERS }, lives));
    const sum = counts.reduce((all, count) => all + count);
    expect(sum).toBeGreaterThan(KILLS);
    console.log(`${sum} events, ${KILLS} kills`);
  });

  it('was synced before the answer', async ({ skip }) => {
    if (lacks('strace')) return skip('strace is not installed');
    await using stage = await startWebhookStage();
    const port = await freePort();
    await stage.configure({ role: 'receive', port });
    const traced = [
      '-f',
      '-y',
      '-s',
      '4096',
      '-e',
      'trace=read,write,writev,fsync,fdatasync',
      '-o',
      stage.at('trace'),
    ];
    const command = [CLI_NODE, CLI_MAIN, 'webhook', '--json', '--config', stage.config];
    await using strace = startNode([...traced, ...command], { node: 'strace' });
    await strace.until('the webhook to listen', () => strace.stdout.includes('started'));
    const answer = await fetch(`http://127.0.0.1:${port}/webhook`, {
      method: 'POST',
      body: put('of-the-trace'),
    });
    expect(answer.status).toBe(200);
    // What strace has not written yet, it writes at its end.
    process.kill(Number(readFileSync(`/proc/${strace.pid}/task/${strace.pid}/children`, 'utf8').trim()));
    expect(await strace.ended).toMatchObject({ exitCode: 0 });
    const lines = readFileSync(stage.at('trace'), 'utf8').split('\n');
    const isAnswer = (line: string): boolean => /write.*HTTP\/1\.1 200/.test(line);
    const [asked, answered] = [
      lines.findIndex((line) => line.includes('POST /webhook')),
      lines.findIndex(isAnswer),
    ];
    const syncs = parseTrace(lines.join('\n')).filter(
      ({ name, paths, began: from, ended }) =>
        /sync/.test(name) &&
        paths.some((path) => path.endsWith('queue.db-wal')) &&
        from > asked &&
        ended < answered,
    );
    expect(syncs).toHaveLength(1);
  });
});

it('a full disk is answered with 503 and Retry-After, and events are taken again once there is room', async ({
  skip,
}) => {
  await using stage = await startWebhookStage();
  const folder = stage.at('disk');
  mkdirSync(folder);
  const unmount = mountTmpfs(folder);
  if (unmount === undefined) return skip('no tmpfs can be mounted here');
  try {
    writeFileSync(stage.at('disk/filler'), Buffer.alloc(500_000));
    await stage.configure({ role: 'receive', state: 'disk/state', minFree: '40KiB' });
    const accepted: string[] = [];
    {
      await using webhook = await stage.start();
      const agent = new Agent({ keepAlive: true });
      const post = async (key: string) => {
        const answer = await webhook.post(put(key), { agent });
        if (answer.status === 200) accepted.push(key);
        return answer;
      };
      let refused = await post('first');
      for (let count = 0; refused.status !== 503; count++) refused = await post(`k${count}`);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      expect(await webhook.ask({ path: '/ping' })).toMatchObject({ status: 200 });
      expect(webhook.process.stderr).toContain('STORE_FULL');
      await rm(stage.at('disk/filler'));
      await until('events to be taken again', async () => (await post('again')).status === 200);
      agent.destroy();
      expect(await webhook.process.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
    }
    const kept = await keysIn(stage, stage.at('disk/state/queue.db'));
    expect(accepted.filter((key) => !kept.has(key))).toEqual([]);
    expect(accepted.length).toBeGreaterThan(10);
  } finally {
    unmount();
  }
});
