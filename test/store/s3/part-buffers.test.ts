import { expect, it } from 'vitest';
import { PartBuffers } from '../../../src/store/s3/part-buffers.ts';

const MINUTE_MS = 60_000;

function never(): void {
  throw new Error('a buffer was taken away that was not to be');
}

/** What has been settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  return (
    (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) !== pending
  );
}

it('gives no more than there are, and then in turn', async () => {
  const buffers = new PartBuffers(20, MINUTE_MS);
  const [a, b] = [await buffers.take(10, never), await buffers.take(10, never)];
  const large = buffers.take(20, never);
  const small = buffers.take(5, never);
  a.release();
  expect(await isSettled(large)).toBe(false);
  // Nor does it overtake, or the large one would wait for ever.
  expect(await isSettled(small)).toBe(false);
  b.release();
  b.release();
  (await large).release();
  expect((await small).bytes).toHaveLength(5);
});

it('uses buffers again', async () => {
  const buffers = new PartBuffers(20, MINUTE_MS);
  const first = await buffers.take(10, never);
  first.release();
  expect((await buffers.take(10, never)).bytes).toBe(first.bytes);
});

it('takes idle ones away when others wait, never those on their way', async () => {
  const buffers = new PartBuffers(20, 20);
  const onItsWay = await buffers.take(10, never);
  onItsWay.pin();
  const { promise: revoked, resolve } = Promise.withResolvers<unknown>();
  await buffers.take(10, resolve);
  const next = await buffers.take(10, never);
  expect(next.bytes).not.toBe(onItsWay.bytes);
  expect(await revoked).toMatchObject({ code: 'BUSY', retryable: true });
});
