import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { startQueueProgram } from '../events/queue-embedded-setup.ts';

const MESSAGES = 1_000_000;
/** Of the whole process: Node itself takes some 60 MB of it. In bytes. */
const MAX_MEMORY = 250e6;
/** Of the main thread, as `isync` sets it for itself: else Node lets its young garbage grow to 100 MB. */
const FLAGS = ['--max-semi-space-size=8'];

it('holds a million messages in a bounded memory, opens with them, and gives them out in order', async () => {
  const file = join(temporaryFolder(), 'queue.db');
  const publisher = startQueueProgram(
    file,
    `const body = 'x'.repeat(700);
     for (let at = 0; at < ${MESSAGES}; at += 1000)
       await queue.publish(Array.from({ length: 1000 }, (_, each) => ({ id: 'message-number-' + (at + each), body })));
     console.log((await queue.publish([{ id: 'more', body }]).catch(({ code }) => code)));
     setInterval(() => {}, 1000);`,
    '',
    FLAGS,
  );
  await publisher.until('a full queue', () => publisher.stdout !== '', 1_200_000);
  expect(publisher.stdout).toBe('STORE_FULL\n');
  const memory = [publisher.peakMemory()];
  await publisher.kill();
  const worker = startQueueProgram(
    file,
    `let count = 0;
     let inOrder = true;
     while (count < ${MESSAGES}) {
       const deliveries = await queue.receive();
       for (const { id } of deliveries) inOrder &&= id === 'message-number-' + count++;
       await Promise.all(deliveries.map((delivery) => delivery.ack()));
     }
     console.log(count, inOrder);
     setInterval(() => {}, 1000);`,
    '',
    FLAGS,
  );
  await worker.until('an empty queue', () => worker.stdout !== '', 1_200_000);
  expect(worker.stdout).toBe(`${MESSAGES} true\n`);
  memory.push(worker.peakMemory());
  console.log(`peak memory: ${memory.map((bytes) => Math.round(bytes / 1e6)).join(', ')} MB`);
  expect(Math.max(...memory)).toBeLessThan(MAX_MEMORY);
}, 2_500_000);
