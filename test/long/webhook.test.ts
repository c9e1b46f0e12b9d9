import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, it, test } from 'vitest';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { postEvents } from '../../harness/ceph-events.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startNatsServer } from '../../harness/nats-server.ts';
import { textsBelow } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { lacks } from '../../harness/tools.ts';
import { startWebhookStage, type WebhookStage } from '../../harness/webhook-stage.ts';

const put = (key: string, bucket = 'photos'): string =>
  cephRecord({ event: 'ObjectCreated:Put', bucket, key });
const recorded = (name: string): string =>
  readFileSync(new URL(`../events/messages/${name}.json`, import.meta.url), 'utf8');

/** What the script has been told so far, a line each. */
function told(stage: WebhookStage): string[] {
  try {
    return readFileSync(stage.at('told'), 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}
const tell = (stage: WebhookStage): string => `echo "$1 $2 $3" >> '${stage.at('told')}'`;
const keysOf = (lines: readonly string[]): string[] =>
  [...new Set(lines.map((line) => line.split(' ')[1] ?? ''))].toSorted();

describe('several processes', () => {
  it('do not work on one queue file: the second is told who does', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ script: await stage.script(tell(stage)) });
    await using first = await stage.start();
    for (const role of ['work', 'both']) {
      const { exitCode, stderr } = await stage.run('--role', role);
      expect(exitCode).toBe(3);
      expect(stderr).toContain(`process ${first.process.pid} works on this queue`);
      expect(stderr).toContain('--role receive');
    }
    expect(await first.post(put('a'))).toMatchObject({ status: 200 });
  });

  it('take events beside the one that works on a queue file', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ script: await stage.script(tell(stage)) });
    await using one = await stage.start(['--role', 'receive']);
    await using other = await stage.start(['--role', 'receive']);
    await one.post(put('before'));
    await using worker = await stage.start(['--role', 'work']);
    expect(worker.url).toBe('');
    await worker.process.until('what was there', () => told(stage).length === 1);
    for (const receiver of [one, other]) await receiver.post(put(`from-${receiver.port}`));
    await worker.process.until('what came', () => told(stage).length === 3);
    for (const { process } of [one, other, worker])
      expect(await process.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
    expect(await stage.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
  });

  it('share the work of a queue at NATS', async ({ skip }) => {
    if (lacks('nats-server')) return skip('nats-server is not installed');
    await using nats = await startNatsServer();
    await using stage = await startWebhookStage();
    await stage.configure({
      queue: nats.url,
      script: await stage.script(`${tell(stage)}; sleep 0.1`),
      concurrency: 2,
    });
    await using receiver = await stage.start(['--role', 'receive']);
    await using one = await stage.start(['--role', 'work', '--status', '127.0.0.1:0']);
    await using other = await stage.start(['--role', 'work', '--status', '127.0.0.1:0']);
    const keys = Array.from({ length: 60 }, (_, index) => `k${index}`).toSorted();
    for (const key of keys) expect((await receiver.post(put(key))).status).toBe(200);
    await receiver.process.until('all to be done', () => keysOf(told(stage)).length === keys.length);
    await receiver.process.until('the queue to be empty', async () => {
      const { waiting, inHand } = await stage.counts();
      return waiting + inHand === 0;
    });
    const done = await Promise.all(
      [one, other].map(async ({ process }) => {
        const { exitCode, stdout } = await process.stop('SIGTERM');
        expect(exitCode).toBe(0);
        return (JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { done: number }).done;
      }),
    );
    expect(done.reduce((sum, each) => sum + each)).toBe(60);
    for (const each of done) expect(each).toBeGreaterThan(5);
  });
});

describe('a webhook', () => {
  it('takes what MinIO and VK Cloud send, as they send it', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ script: await stage.script(tell(stage)) });
    await using webhook = await stage.start();
    for (const name of ['minio-put', 'minio-delete', 'vk-put', 'vk-delete-blanks'])
      expect(
        await webhook.post(recorded(name), {
          headers: { 'x-amz-sns-messages-type': 'SubscriptionConfirmation' },
        }),
      ).toMatchObject({ status: 200 });
    await webhook.process.until('all to be told', () => told(stage).length === 4);
    expect(told(stage).toSorted()).toEqual([
      'bucketA some-file-to-bucket copy',
      'bucketA some-file-to-bucket delete',
      'transport-dev test-folder/a b+c.txt copy',
      'transport-dev test-folder/gone.txt delete',
    ]);
  });

  it('gives back what does not end within --grace, and ends with 0', async () => {
    await using stage = await startWebhookStage();
    const script = await stage.script(`${tell(stage)}; exec sleep 1000`);
    await stage.configure({ script, grace: '1s' });
    await using webhook = await stage.start();
    await webhook.post(put('a'));
    await webhook.process.until('the script to hang', () => told(stage).length === 1);
    expect((await webhook.process.stop('SIGTERM')).exitCode).toBe(0);
    expect(await stage.counts()).toMatchObject({ waiting: 1, inHand: 0, dead: 0 });
  });

  it('is held up by no hanging script and no poisoned event', async () => {
    await using stage = await startWebhookStage();
    const script = `case $2 in hangs) exec sleep 1000;; poison) exit 1;; later) exit 75;; esac\n${tell(stage)}`;
    await stage.configure({ script: await stage.script(script), concurrency: 2, attempts: 1000 });
    await using webhook = await stage.start();
    for (let index = 0; index < 40; index++)
      for (const key of ['hangs', 'poison', 'later']) await webhook.post(put(key));
    const began = performance.now();
    for (let index = 0; index < 50; index++) await webhook.post(put(`k${index}`));
    await webhook.process.until('the others to be done', () => told(stage).length === 50);
    // Each of the scripts takes some ms.
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(keysOf(told(stage))).toHaveLength(50);
  });

  it('tells what is in its queue in words and for programs, and changes all or nothing', async () => {
    await using stage = await startWebhookStage();
    await stage.configure({ script: await stage.script('exit 3'), attempts: 1 });
    await using webhook = await stage.start();
    for (const key of ['a\u001b[2J', 'b']) await webhook.post(put(key));
    await webhook.process.until('both to be dead', async () => (await stage.counts()).dead === 2);
    expect((await stage.run('queue')).stdout).toMatch(/queue\.db: 0 messages waiting, 0 in hand; 2 dead\n$/);
    const json = (await stage.run('queue', 'dead', 'list', '--json')).stdout.trim().split('\n');
    const [first, , summary] = json.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({ attempts: 1, reason: expect.stringContaining('3') });
    expect(first).not.toHaveProperty('body');
    expect(summary).toEqual({ messages: 2, exitCode: 0 });
    const { stdout } = await stage.run('queue', 'dead', 'list');
    expect(stdout).not.toContain('\u001b');
    expect(await stage.run('queue', 'dead', 'drop', String(first?.['id']), 'mistyped')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('mistyped'),
    });
    expect(await stage.run('queue', 'dead', 'replay', 'all', 'b')).toMatchObject({ exitCode: 2 });
    expect((await stage.run('queue', 'dead', 'show', String(first?.['id']))).stdout).toContain('"Records"');
    expect(await stage.counts()).toMatchObject({ dead: 2 });
    await webhook.post('[1, 2]');
    const parked = await stage.run('parked', 'list', '--json');
    const [record] = parked.stdout.split('\n').map((line) => line && (JSON.parse(line) as { id: string }));
    const id = record === undefined || record === '' ? '' : record.id;
    expect((await stage.run('parked', 'show', id)).stdout).toContain('[1, 2]');
    expect((await stage.run('parked', 'drop', id)).stdout).toContain('1 record dropped');
  });
});

await withS3Server((server) => {
  test.each([
    ['posts once', false],
    ['keeps its events', true],
  ])('files follow the bucket of a Ceph that %s', async (_name, isPersistent) => {
    await using stage = await startWebhookStage(server.env);
    const bucket = await server.makeBucket();
    const secret = 'a-secret-of-the-path-24';
    await writeFile(stage.at('secret'), secret, { mode: 0o600 });
    await stage.configure({
      secretPathFile: stage.at('secret'),
      sync: { 'a/': 'a' },
      sourceEndpoint: server.endpoint,
      buckets: [bucket],
    });
    await using webhook = await stage.start();
    const url = `http://127.0.0.1:${webhook.port}/webhook/${secret}`;
    await postEvents(server, bucket, { name: `webhook-${webhook.port}`, url, isPersistent });
    const keys = ['a/one', 'a/b c/é+%41', 'a/two', 'elsewhere'];
    for (const Key of keys)
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: `of ${Key}` }));
    const files = async (): Promise<string[]> =>
      Object.keys(await textsBelow(stage.at('a')).catch(() => ({})));
    await webhook.process.until('the files', async () => (await files()).length === 3);
    expect(await textsBelow(stage.at('a'))).toEqual({
      one: 'of a/one',
      'b c/é+%41': 'of a/b c/é+%41',
      two: 'of a/two',
    });
    for (const Key of keys.slice(1, 3))
      await server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    await webhook.process.until('the removals', async () => (await files()).length === 1);
    expect((await webhook.process.stop('SIGTERM')).exitCode).toBe(0);
    expect(webhook.process.stderr).not.toContain(secret);
    expect(await stage.counts()).toMatchObject({ waiting: 0, inHand: 0, dead: 0 });
  });
});
