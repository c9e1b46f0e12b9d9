import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Limiter } from '../../src/flow/limiter.ts';

/** Enough for some 20 MB, if each of them left only its place in the queue behind. */
const TASKS = 200_000;
/** What may come and go by itself, in bytes. */
const NOISE_BYTES = 5_000_000;

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('no garbage collector to be called');
  collect();
  return process.memoryUsage().heapUsed;
}

test('begins tasks in their order, however many wait', async () => {
  const limiter = new Limiter(3);
  const begun: number[] = [];
  const order = Array.from({ length: 10_000 }, (_, index) => index);
  await Promise.all(order.map((index) => limiter.run(async () => void begun.push(index))));
  expect(begun).toEqual(order);
});

test('forgets tasks that have ended, also while there is never none that waits', async () => {
  const limiter = new Limiter(1);
  const before = heapUsed();
  const grown = Promise.withResolvers<number>();
  let begun = 0;
  const task = async (): Promise<void> => {
    if (begun++ === TASKS) grown.resolve(heapUsed() - before);
    if (begun <= TASKS) void limiter.run(task);
  };
  void limiter.run(task);
  void limiter.run(task);
  expect(await grown.promise).toBeLessThan(NOISE_BYTES);
});
