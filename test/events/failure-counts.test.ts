import { expect, it } from 'vitest';
import { FailureCounts } from '../../src/events/work/failure-counts.ts';

it('failures are counted by message until it is forgotten, and of the 100,000 that failed last', () => {
  const counts = new FailureCounts();
  expect([counts.add('a'), counts.add('a'), counts.add('b')]).toEqual([1, 2, 1]);
  counts.forget('a');
  expect([counts.add('a'), counts.add('b')]).toEqual([1, 2]);
  for (let index = 0; index < 99_999; index++) counts.add(`m${index}`);
  // "a" was the oldest.
  expect([counts.add('b'), counts.add('a')]).toEqual([3, 1]);
});
