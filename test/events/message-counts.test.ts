import { expect, it } from 'vitest';
import { MessageCounts } from '../../src/events/work/message-counts.ts';

it('counts by message until one is forgotten, for the 100,000 that were counted last', () => {
  const counts = new MessageCounts();
  expect([counts.add('a'), counts.add('a'), counts.add('b')]).toEqual([1, 2, 1]);
  expect([counts.of('a'), counts.of('c')]).toEqual([2, 0]);
  counts.forget('a');
  expect([counts.add('a'), counts.add('b')]).toEqual([1, 2]);
  for (let index = 0; index < 99_999; index++) counts.add(`m${index}`);
  // "a" was the oldest.
  expect([counts.add('b'), counts.add('a')]).toEqual([3, 1]);
});
