import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { failureOf, startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** What the config's exec runs: keeps what it is told, a line for each time. Fails the first time. */
const COMMAND = `
const [, , told] = process.argv;
const { appendFileSync, existsSync, readFileSync, writeFileSync } = require('node:fs');
const input = readFileSync(0, 'utf8');
if (!existsSync(told + '.failed')) { writeFileSync(told + '.failed', ''); process.exit(3); }
appendFileSync(told, JSON.stringify(input.split('\\0')) + '\\n');
`;

await withS3Server((server) => {
  describe.concurrent('a process of isync pull', () => {
    test('tells the command of exec what has changed, with NUL between, until that has worked', async () => {
      await using stage = await startPullStage(server);
      const { at } = stage;
      const [command, told] = [at('command.cjs'), at('told')];
      await writeFile(command, COMMAND);
      await stage.configure({ exec: [process.execPath, command, told], execDelay: '100ms' });
      await using pull = stage.start();
      await stage.put('a/with space', 'x');
      await stage.put('b/new\nline', 'x');
      // Whole ones.
      const lines = () => (existsSync(told) ? readFileSync(told, 'utf8') : '').split('\n').slice(0, -1);
      const paths = () => lines().flatMap((line) => (JSON.parse(line) as string[]).slice(0, -1));
      await pull.until('the command to be told', () => new Set(paths()).size === 2);
      expect(lines().every((line) => (JSON.parse(line) as string[]).at(-1) === '')).toBe(true);
      expect([...new Set(paths())].sort()).toEqual([at('a/with space'), at('b/new\nline')]);
      expect(existsSync(`${told}.failed`)).toBe(true);
      await stage.remove('a/with space');
      await pull.until(
        'the removal to be told',
        () => paths().filter((path) => path === at('a/with space')).length > 1,
      );
    });

    test('that was to do all there is, and is stopped before that, does not end with 0', async () => {
      await using stage = await startPullStage(server);
      await stage.configure({});
      await using pull = stage.start(['--once']);
      await pull.until('the queue to be followed', () => pull.stdout.includes('following'));
      pull.signal('SIGTERM');
      expect((await pull.ended).exitCode).toBe(130);
    });

    test('gives back what it has not begun when it is asked to end, and finishes the rest', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket });
      await stage.configure({ concurrency: 1 });
      const keys = Array.from({ length: 30 }, (_, index) => `a/f${index}`);
      for (const key of keys.slice(0, 3)) await stage.put(key, key);
      let free = (): void => {};
      const held = new Promise<void>((resolve) => (free = resolve));
      front.holdBody = () => held;
      await stage.queue.send(keys.map((key) => cephRecord({ event: 'ObjectCreated:Put', bucket, key })));
      await using pull = stage.start();
      const inFlight = async () => (await stage.queue.inspect()).inFlight.length;
      await pull.until(
        'all in hand and one begun',
        async () => (await inFlight()) === 30 && front.answered.length > 0,
      );
      pull.signal('SIGTERM');
      await pull.until(
        'the others to be given back',
        async () => (await stage.queue.inspect()).ready.length === 29,
      );
      expect(pull.over).toBe(false);
      free();
      expect((await pull.ended).exitCode).toBe(0);
      expect(Object.keys(await textsBelow(stage.at('a')))).toHaveLength(1);
      expect(stage.acknowledged()).toBe(1);
      expect((await stage.queue.inspect()).ready).toHaveLength(29);
    });

    test('is not ready while there is no room', async () => {
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { bucket });
      await stage.configure({ minFree: '1000TiB' });
      const port = await freePort();
      const ready = async () => await fetch(`http://127.0.0.1:${port}/readyz`);
      await using pull = stage.start(['--status', `127.0.0.1:${port}`]);
      await pull.until('it to follow', () => pull.stdout.includes('"following"'));
      expect((await ready()).status).toBe(200);
      await stage.put('a/one', 'four');
      await stage.queue.send([cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/one' })]);
      await pull.until('a refusal', async () => (await ready()).status === 503);
      expect(await (await ready()).text()).toContain('there is no room');
      expect(pull.stderr).toContain('what waits for it goes on by itself');
    });

    test('says at its start that a redrive policy would lose the messages of other machines', async () => {
      const bucket = await server.makeBucket();
      const isWarned = async (settings: object): Promise<boolean> => {
        await using stage = await startPullStage(server, { bucket });
        const { arn } = await stage.sqs.makeQueue();
        const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn, maxReceiveCount: 3 });
        await stage.configure({ queue: (await stage.sqs.makeQueue({ RedrivePolicy })).name, ...settings });
        await using pull = stage.start();
        await pull.until('it to follow', () => pull.stdout.includes('"following"'));
        const { exitCode, stderr } = await pull.stop('SIGTERM');
        expect(failureOf({ exitCode, stderr })).toBe('');
        return ['gives up messages after 3 deliveries', 'unmatched: discard'].every((words) =>
          stderr.includes(words),
        );
      };
      expect(await isWarned({})).toBe(true);
      expect(await isWarned({ unmatched: 'discard' })).toBe(false);
    });

    test('says at its start that a FIFO queue takes nothing back for other machines, and then deletes it', async () => {
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { bucket });
      const queue = await stage.sqs.makeQueue({}, `events-${bucket}.fifo`);
      await stage.configure({ queue: queue.name });
      await stage.put('a/one', 'four');
      const event = (key: string) => cephRecord({ event: 'ObjectCreated:Put', bucket, key });
      await queue.send([event('elsewhere/one'), event('a/one')], 'group');
      await using pull = stage.start(['--once']);
      const { exitCode, stderr } = await pull.ended;
      expect(failureOf({ exitCode, stderr })).toBe('');
      for (const words of ['is FIFO', 'deleted', 'unmatched: discard']) expect(stderr).toContain(words);
      expect(await queue.inspect()).toEqual({ ready: [], inFlight: [] });
    });

    test('serves its metrics and its health', async () => {
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { bucket });
      const port = await freePort();
      await using pull = stage.start(['--status', `127.0.0.1:${port}`]);
      await stage.put('a/one', 'four');
      await stage.queue.send([
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/one' }),
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/../x' }),
        JSON.stringify({
          Service: 'Amazon S3',
          Event: 's3:TestEvent',
          Bucket: bucket,
          Time: '2026-01-01T00:00:00.000Z',
        }),
      ]);
      await pull.until('all messages', () => stage.acknowledged() === 3);
      const [metrics, health, ready] = await Promise.all(
        ['metrics', 'healthz', 'readyz'].map(async (page) => await fetch(`http://127.0.0.1:${port}/${page}`)),
      );
      expect([health?.status, ready?.status]).toEqual([200, 200]);
      const lines = (await metrics?.text())?.split('\n') ?? [];
      for (const line of [
        'isync_events_received_total{dialect="ceph",kind="created"} 2',
        'isync_events_done_total{action="created",outcome="written"} 1',
        'isync_events_ignored_total{name="TestEvent"} 1',
        'isync_events_parked 1',
        'isync_events_in_hand 0',
        'isync_events_bytes_total 4',
        'isync_events_lag_seconds_count 1',
      ])
        expect(lines).toContain(line);
      for (const name of [
        'retries_total',
        'queue_age_seconds',
        'resync_differences',
        'last_success_timestamp_seconds',
      ])
        expect(lines.find((line) => line.startsWith(`isync_events_${name} `)) ?? name).toMatch(/ [\d.e+]+$/);
    });
  });
});
