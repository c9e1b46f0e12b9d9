import { expect, it } from 'vitest';
import { maxDeliveriesOf } from '../../src/events/sqs/redrive-policy.ts';

it.each([
  [undefined, undefined],
  ['', undefined],
  ['{', undefined],
  ['null', undefined],
  ['{}', undefined],
  ['{"maxReceiveCount":0}', undefined],
  ['{"maxReceiveCount":"many"}', undefined],
  ['{"maxReceiveCount":"5"}', 5],
  ['{"maxReceiveCount":1}', 1],
])('reads a redrive policy %j', (policy, count) => {
  expect(maxDeliveriesOf(policy)).toBe(count);
});
