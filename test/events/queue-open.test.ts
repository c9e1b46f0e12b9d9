import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { startNode } from '../../harness/process.ts';
import { openEventQueue } from '../../src/events/queue/open-event-queue.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { messages } from '../suites/event-queue/subject.ts';

const options = { works: true, maxMessages: 100, minFreeBytes: 0, log: new RecordingLog() };

describe('where a queue is', () => {
  it('is the path of a file, or its URL', async () => {
    const file = join(temporaryFolder(), 'a b:c.db');
    {
      await using queue = await openEventQueue(file, options);
      await queue.publish(messages(1));
    }
    await using queue = await openEventQueue(pathToFileURL(file).href, options);
    expect(await queue.counts()).toMatchObject({ waiting: 1 });
  });

  it('is told to be out of reach, to who only publishes, while its file can not be used', async () => {
    const file = join(temporaryFolder(), 'queue.db');
    await using queue = await openEventQueue(file, { ...options, works: false });
    await queue.publish(messages(1));
    using db = new DatabaseSync(file);
    db.exec('ALTER TABLE totals RENAME TO hidden');
    await expect(queue.publish(messages(1))).rejects.toThrow('no such table');
    expect(queue.isReachable).toBe(false);
    db.exec('ALTER TABLE hidden RENAME TO totals');
    await queue.publish(messages(1));
    expect(queue.isReachable).toBe(true);
  });

  it('is nothing else', async () => {
    await expect(openEventQueue('redis://u:secret@h/x', options)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'no queue can be had by redis://',
    });
  });

  it('by NATS is what loads its client, and a file does not', async () => {
    const source = join(import.meta.dirname, '../../src/events/queue/open-event-queue.ts');
    const program = (place: string): string => `
      import { registerHooks } from 'node:module';
      let loaded = false;
      registerHooks({ load(url, context, next) { loaded ||= url.includes('@nats-io'); return next(url, context); } });
      const { openEventQueue } = await import(${JSON.stringify(source)});
      const log = { debug() {}, info() {}, warn() {}, error() {}, with() { return log; } };
      const options = { works: true, maxMessages: 100, minFreeBytes: 0, log };
      const queue = await openEventQueue(${JSON.stringify(place)}, options).catch(() => undefined);
      console.log(loaded);
      await queue?.[Symbol.asyncDispose]();`;
    const loads = async (place: string): Promise<string> =>
      (await startNode(['--input-type=module', '-e', program(place)]).ended).stdout.trim();
    expect(await loads(join(temporaryFolder(), 'queue.db'))).toBe('false');
    expect(await loads('nats://127.0.0.1:1/none')).toBe('true');
  });
});
