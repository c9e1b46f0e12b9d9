import { expect, it } from 'vitest';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { SendQueue } from '../../src/sender/send-queue.ts';
import { Calls } from '../../src/sender/ws/calls.ts';
import { MemorySource } from './memory-source.ts';
import { QUICK } from './receiver-fixture.ts';

it('a seal never goes without the file that it stands behind, also in the moment before its caller hears of that', async () => {
  const queue = new SendQueue(QUICK);
  const calls = new Calls(QUICK);
  const refused = new Error('refused for good');
  const job = queue.add(new MemorySource('DC1/finished.parse', Buffer.alloc(0)));
  const sealed = calls.seal(parseRelPath('DC1'), job, {});
  const welcome = { store: undefined, sealsBehind: true };
  expect(calls.take(welcome)).toBeUndefined();
  queue.rejectAll(refused);
  expect(job.settled).toBe(true);
  expect(calls.take(welcome)).toBeUndefined();
  calls.rejectAll(refused);
  await expect(sealed).rejects.toBe(refused);
  await expect(job.receipt).rejects.toBe(refused);
});
