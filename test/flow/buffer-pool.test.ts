import { expect, it } from 'vitest';
import { BufferPool } from '../../src/flow/buffer-pool.ts';

it('uses the memory of what was given back again, also where a part of it was', () => {
  const pool = new BufferPool(100, 2);
  const first = pool.take(100);
  expect(pool.giveBack(first.subarray(7, 9))).toBe(true);
  const second = pool.take(60);
  expect(second.buffer).toBe(first.buffer);
  expect(second.length).toBe(60);
  expect(pool.take(60).buffer).not.toBe(first.buffer);
});

it('lends no memory twice, and takes none that is not its own', () => {
  const pool = new BufferPool(100, 8);
  const lent = pool.take(10);
  expect(pool.giveBack(lent)).toBe(true);
  expect(pool.giveBack(lent)).toBe(false);
  expect(pool.giveBack(Buffer.allocUnsafeSlow(100))).toBe(false);
  expect(pool.giveBack(new BufferPool(100, 8).take(10))).toBe(false);
  expect(pool.take(10).buffer).toBe(lent.buffer);
  expect(pool.take(10).buffer).not.toBe(lent.buffer);
});

it('keeps no more than it was told, and nothing that is larger than its pieces', () => {
  const pool = new BufferPool(100, 1);
  const [one, two] = [pool.take(100), pool.take(100)];
  expect([pool.giveBack(one), pool.giveBack(two)]).toEqual([true, true]);
  expect(pool.take(100).buffer).toBe(one.buffer);
  expect(pool.take(100).buffer).not.toBe(two.buffer);
  const large = pool.take(101);
  expect(large.length).toBe(101);
  expect(pool.giveBack(large)).toBe(false);
});
