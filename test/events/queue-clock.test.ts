import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { Answers, Command } from '../../src/events/queue/embedded/commands.ts';
import { openQueueFile } from '../../src/events/queue/embedded/open-queue-file.ts';
import { QueueFile } from '../../src/events/queue/embedded/queue-file.ts';
import { Transactions } from '../../src/events/queue/embedded/transactions.ts';
import { until } from '../../harness/process.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { messages } from '../suites/event-queue/subject.ts';

const HALF_AN_HOUR_MS = 30 * 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

async function openFile(path: string) {
  const file = new QueueFile(await openQueueFile(path), {
    path,
    works: true,
    maxMessages: 100,
    minFreeBytes: 0,
  });
  const transactions = new Transactions(file);
  onTestFinished(() => file.close());
  return <C extends Command>(command: C): Answers[C['do']] => {
    const [answer] = transactions.run([{ call: 1, command }]);
    if (answer === undefined || !('value' in answer)) throw new Error(JSON.stringify(answer));
    return answer.value as Answers[C['do']];
  };
}

it.each([
  ['set back', -HALF_AN_HOUR_MS],
  ['set forward', HALF_AN_HOUR_MS],
])('a clock that is %s changes no delay, and makes no message come twice', async (_, ms) => {
  const path = join(temporaryFolder(), 'queue.db');
  const ask = await openFile(path);
  ask({ do: 'publish', messages: messages(2) });
  const [soon, late] = ask({ do: 'take', limit: 2 }).messages;
  ask({ do: 'release', seq: soon!.seq, delayMs: 50, failures: 0 });
  ask({ do: 'release', seq: late!.seq, delayMs: 60_000, failures: 0 });
  vi.setSystemTime(Date.now() + ms);
  ask({ do: 'publish', messages: messages(2) });
  expect(ask({ do: 'counts' })).toMatchObject({ waiting: 2 });
  await until('the shorter delay to be over', () => ask({ do: 'take', limit: 2 }).messages.length > 0);
  expect(ask({ do: 'counts' })).toMatchObject({ waiting: 1, inHand: 1 });
  const { messages: none, dueInMs } = ask({ do: 'take', limit: 2 });
  expect(none).toEqual([]);
  expect(dueInMs).toBeGreaterThan(0);
  expect(dueInMs).toBeLessThanOrEqual(60_001);
});

it('a queue file that is opened after the clock was set back knows its ids', async () => {
  const path = join(temporaryFolder(), 'queue.db');
  (await openFile(path))({ do: 'publish', messages: messages(2) });
  vi.setSystemTime(Date.now() - HALF_AN_HOUR_MS);
  const ask = await openFile(path);
  ask({ do: 'publish', messages: messages(2) });
  expect(ask({ do: 'counts' })).toMatchObject({ waiting: 2 });
});
