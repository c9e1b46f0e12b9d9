import { DatabaseSync } from 'node:sqlite';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../harness/process.ts';
import { EmbeddedQueue, type EmbeddedQueueOptions } from '../../src/events/queue/embedded/embedded-queue.ts';
import type { QueueDelivery } from '../../src/events/queue/event-queue.ts';
import type { IsyncError } from '../../src/model/isync-error.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { mountTmpfs } from '../store/tmpfs.ts';
import { ackAll, idOf, messages } from '../suites/event-queue/subject.ts';
import { queueOptions, startQueueProgram } from '../events/queue-embedded-setup.ts';

let file: string;
beforeEach(() => {
  file = join(temporaryFolder(), 'state', 'queue.db');
});

const open = (options: Partial<EmbeddedQueueOptions> = {}): Promise<EmbeddedQueue> =>
  EmbeddedQueue.open(file, queueOptions(options));

const faultOf = async (call: Promise<unknown>): Promise<IsyncError> =>
  await call.then(
    () => expect.fail('nothing failed'),
    (error: IsyncError) => error,
  );

describe('several processes of one queue file', () => {
  it('are one worker: a second is refused, told who works, and let in after a kill -9', async () => {
    const worker = startQueueProgram(file, `console.log('open'); setInterval(() => {}, 1000);`);
    await worker.until('the queue to be open', () => worker.stdout.includes('open'));
    const fault = await faultOf(open());
    expect(fault).toMatchObject({ code: 'FENCED', path: file });
    expect(fault.message).toContain(`process ${worker.pid} works on this queue`);
    await worker.kill();
    await using queue = await open();
    expect(await queue.receive()).toEqual([]);
  });

  it('are one worker within a process too', async () => {
    await using queue = await open();
    expect((await faultOf(open())).code).toBe('FENCED');
    await queue.publish(messages(1));
    const other = startQueueProgram(file, '');
    expect((await other.ended).stderr).toContain('FENCED');
  });

  it('are receivers beside the worker, which hears of what they publish; none holds up the others', async () => {
    await using queue = await open();
    const count = 400;
    const publish = (name: string): string => `
      const publish = async (from) => {
        for (let at = from; at < ${count}; at += 16) await queue.publish([{ id: '${name}' + at, body: 'x' }]);
      };
      await Promise.all(Array.from({ length: 16 }, (_, from) => publish(from)));
      await queue[Symbol.asyncDispose]();`;
    const receivers = ['a', 'b', 'c'].map((name) => startQueueProgram(file, publish(name), 'works: false'));
    const seen: string[] = [];
    while (seen.length < count * 3) {
      const deliveries = await queue.receive();
      await ackAll(deliveries);
      seen.push(...deliveries.map(idOf));
      const failed = receivers.find(({ over, exitCode }) => over && exitCode !== 0);
      expect(failed?.tail()).toBeUndefined();
    }
    expect(new Set(seen).size).toBe(count * 3);
    for (const { ended } of receivers) expect((await ended).stderr).toBe('');
    expect(await queue.counts()).toMatchObject({ waiting: 0, inHand: 0 });
  });

  it('have a worker that starts take up what waits for its time, before what comes after it', async () => {
    const before = await open();
    await before.publish(messages(3));
    const [first, second, third] = await before.receive();
    await Promise.all([first!.release(60_000), second!.release(1_000), third!.ack()]);
    await before[Symbol.asyncDispose]();
    const receiver = await open({ works: false });
    await receiver.publish(messages(1, 'later'));
    await receiver[Symbol.asyncDispose]();
    await using queue = await open();
    const again = await queue.receive();
    expect(again.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['m0', 2],
      ['m1', 2],
      ['later0', 1],
    ]);
  });

  it('that do not work can not receive, but tell what is in the queue and what is dead', async () => {
    await using queue = await open();
    await using beside = await open({ works: false });
    await beside.publish(messages(2));
    const deliveries = await queue.receive();
    await deliveries[0]!.bury('bad');
    expect(await beside.counts()).toMatchObject({ waiting: 0, inHand: 1, dead: 1 });
    expect(await beside.dead.replay('m0')).toBe(1);
    expect((await queue.receive()).map(idOf)).toEqual(['m0']);
    expect((await faultOf(beside.receive())).message).toContain('does not work on the queue');
  });

  it('wait for one that has the file, and give up with BUSY', async () => {
    await using queue = await open();
    await using other = await open({ works: false });
    await other.publish([]);
    const db = new DatabaseSync(file);
    db.exec('BEGIN IMMEDIATE');
    const published = queue.publish(messages(1));
    const fault = await faultOf(published);
    expect(fault).toMatchObject({ code: 'BUSY', retryable: true });
    const again = queue.publish(messages(1));
    db.exec('ROLLBACK');
    await again;
    db.close();
  });
});

describe('a queue file', () => {
  it('is for its owner alone', async () => {
    await using queue = await open();
    await queue.publish(messages(1));
    const folder = dirname(file);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('gets small again after a backlog', async () => {
    await using queue = await open();
    const body = 'x'.repeat(1_000_000);
    for (let at = 0; at < 40; at++) await queue.publish([{ id: `m${at}`, body }]);
    for (let left = 40; left > 0;) {
      const deliveries = await queue.receive();
      await ackAll(deliveries);
      left -= deliveries.length;
    }
    const pages = (): number => {
      const db = new DatabaseSync(file, { readOnly: true });
      const { page_count } = db.prepare('PRAGMA page_count').get() as { page_count: number };
      db.close();
      return page_count;
    };
    await until('a small file', () => pages() < 6000);
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
  });

  it('that is damaged is told with the cure', async () => {
    mkdirSync(dirname(file));
    writeFileSync(file, 'no database '.repeat(1000));
    const fault = await faultOf(open());
    expect(fault).toMatchObject({ code: 'STORE_FAILED', retryable: false, path: file });
    expect(fault.hint).toContain(`mv ${file} ${file}.old`);
  });

  it('that is damaged while it is used ends the receives', async () => {
    const body = 'x'.repeat(100_000);
    {
      await using queue = await open();
      await queue.publish(messages(50).map(({ id }) => ({ id, body })));
    }
    await using queue = await open();
    truncateSync(file, 16 * 4096);
    expect(await faultOf(queue.receive())).toMatchObject({ code: 'STORE_FAILED', retryable: false });
  });

  it('that is removed or replaced takes nothing more, and gives what it has', async () => {
    await using queue = await open();
    await queue.publish(messages(1));
    expect(queue.isReachable).toBe(true);
    await rm(file);
    expect(await faultOf(queue.publish(messages(1, 'lost')))).toMatchObject({
      code: 'STORE_FAILED',
      retryable: true,
      hint: expect.stringContaining('start it again'),
    });
    expect(queue.isReachable).toBe(false);
    writeFileSync(file, '');
    expect((await faultOf(queue.publish(messages(1, 'lost')))).code).toBe('STORE_FAILED');
    const deliveries = await queue.receive();
    expect(deliveries.map(idOf)).toEqual(['m0']);
    await ackAll(deliveries);
  });

  it('that takes nothing is told by a receiver as well, until it takes again', async () => {
    await using receiver = await open({ works: false, maxMessages: 1 });
    await receiver.publish(messages(1));
    expect(receiver.isReachable).toBe(true);
    expect((await faultOf(receiver.publish(messages(1, 'more')))).code).toBe('STORE_FULL');
    expect(receiver.isReachable).toBe(false);
    await using worker = await open();
    await ackAll(await worker.receive());
    await receiver.publish(messages(1, 'more'));
    expect(receiver.isReachable).toBe(true);
  });

  it('of a newer isync is left alone', async () => {
    await (await open())[Symbol.asyncDispose]();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 7');
    db.close();
    const fault = await faultOf(open());
    expect(fault.message).toContain('of a newer isync (version 7');
    expect(fault).toMatchObject({ code: 'STORE_FAILED', retryable: false });
  });

  it('of version 1 is brought up to date, and keeps what it has', async () => {
    const queue = await open();
    await queue.publish(messages(2));
    await queue[Symbol.asyncDispose]();
    const db = new DatabaseSync(file);
    db.exec('ALTER TABLE messages DROP COLUMN failures; PRAGMA user_version = 1');
    db.close();
    await using again = await open();
    await again.publish(messages(1, 'more'));
    const deliveries = await again.receive();
    expect(deliveries.map(({ id, failures }) => [id, failures])).toEqual([
      ['m0', 0],
      ['m1', 0],
      ['more0', 0],
    ]);
    await deliveries[0]!.release(0, 7);
    expect((await again.receive()).map(({ id, failures }) => [id, failures])).toEqual([['m0', 7]]);
  });

  it('of another program is left alone', async () => {
    mkdirSync(dirname(file));
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE other (a)');
    db.close();
    expect((await faultOf(open())).message).toContain('of something else');
  });

  it('below nothing is STORE_MISSING', async () => {
    file = join(file, '../../none/state/queue.db');
    expect((await faultOf(open())).code).toBe('STORE_MISSING');
    expect(existsSync(file)).toBe(false);
  });
});

describe('a full disk', () => {
  it('refuses, loses nothing, lets what is done be told, and takes again when there is room', async ({
    skip,
  }) => {
    const folder = join(temporaryFolder(), 'disk');
    mkdirSync(folder);
    file = join(folder, 'queue.db');
    const unmount = mountTmpfs(folder);
    if (unmount === undefined) return skip('no tmpfs can be mounted here');
    try {
      const filler = join(folder, 'filler');
      writeFileSync(filler, Buffer.alloc(500_000));
      await using queue = await open();
      const body = 'x'.repeat(20_000);
      let count = 0;
      const publish = async (): Promise<void> => {
        for (;;) {
          await queue.publish([{ id: `m${count}`, body }]);
          count += 1;
        }
      };
      expect(await faultOf(publish())).toMatchObject({ code: 'STORE_FULL', retryable: true, path: file });
      expect(count).toBeGreaterThan(5);
      expect(await queue.counts()).toMatchObject({ waiting: count });
      const deliveries: QueueDelivery[] = [];
      const received = queue.receive().then((first) => deliveries.push(...first));
      await until('either of both', () => deliveries.length > 0 || !queue.isReachable);
      await rm(filler);
      await received;
      while (deliveries.length < count) deliveries.push(...(await queue.receive()));
      expect(deliveries.map(idOf)).toEqual(messages(count).map(idOf));
      await ackAll(deliveries);
      await queue.publish([{ id: 'more', body }]);
      expect((await queue.receive()).map(idOf)).toEqual(['more']);
    } finally {
      unmount();
    }
  });

  it('is kept from being full: some of it stays free', async () => {
    const { bavail, bsize } = statfsSync(dirname(dirname(file)));
    await using queue = await open({ minFreeBytes: bavail * bsize * 2 });
    expect(await faultOf(queue.publish(messages(1)))).toMatchObject({ code: 'STORE_FULL', retryable: true });
    expect(await queue.counts()).toMatchObject({ waiting: 0 });
  });
});
