import { expect, it } from 'vitest';
import { cutInto, isPlan, mostBytes, PART_BYTES, planParts } from '../../../src/store/s3/part-plan.ts';
import { MIN_PART_BYTES } from '../../../src/s3/multipart.ts';

const MIB = 1024 * 1024;
const TIB = 1024 * 1024 * MIB;

it.each([
  [PART_BYTES + 1, PART_BYTES, 2],
  [5 * 1024 * MIB, PART_BYTES, 640],
  [PART_BYTES * 10_000, PART_BYTES, 10_000],
  [PART_BYTES * 10_000 + 1, 9 * MIB, 8889],
  [5 * TIB, 525 * MIB, 9987],
])('cuts %i bytes into equal parts, few enough', (size, partBytes, parts) => {
  const plan = planParts(size);
  expect(plan).toEqual({ partBytes, parts });
  expect(isPlan(plan)).toBe(true);
});

it('knows what no server takes', () => {
  expect(isPlan(cutInto(100 * MIB, MIN_PART_BYTES - 1))).toBe(false);
  expect(isPlan(cutInto(MIN_PART_BYTES * 10_001, MIN_PART_BYTES))).toBe(false);
  expect(isPlan(cutInto(MIN_PART_BYTES, MIN_PART_BYTES))).toBe(false);
});

it('tells the largest file for the largest part', () => {
  const most = mostBytes(64 * MIB + 5);
  expect(planParts(most).partBytes).toBe(64 * MIB);
  expect(planParts(most + 1).partBytes).toBe(65 * MIB);
});
