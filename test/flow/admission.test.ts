import { expect, test } from 'vitest';
import { Admission } from '../../src/flow/admission.ts';

test('admits as many as the limit says, and the next one when one is released', async () => {
  const admission = new Admission(2);
  await admission.acquire(0);
  await admission.acquire(0);
  let third = false;
  const waiting = admission.acquire(0).then(() => (third = true));
  await Promise.resolve();
  expect(third).toBe(false);
  admission.release();
  await waiting;
  expect(third).toBe(true);
});

test('admits the lowest rank first, and among equals whoever came first', async () => {
  const admission = new Admission(1);
  await admission.acquire(0);
  const order: string[] = [];
  const waiting = [
    admission.acquire(5).then(() => order.push('late')),
    admission.acquire(1).then(() => order.push('first of the oldest')),
    admission.acquire(1).then(() => order.push('second of the oldest')),
  ];
  for (const one of [1, 2, 0]) {
    admission.release();
    await waiting[one];
  }
  expect(order).toEqual(['first of the oldest', 'second of the oldest', 'late']);
});

test('a release nobody waits for leaves room for the next', async () => {
  const admission = new Admission(1);
  await admission.acquire(0);
  admission.release();
  await expect(admission.acquire(0)).resolves.toBeUndefined();
});
