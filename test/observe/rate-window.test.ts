import { expect, it } from 'vitest';
import { rateWindow } from '../../src/observe/status/rate-window.ts';

it('tells how much there was a second, over the last seconds, however often it is asked', () => {
  let count = 0;
  let nowMs = 1000;
  const rate = rateWindow(
    () => count,
    () => nowMs,
  );
  expect(rate()).toBeNull();
  for (let second = 0; second < 20; second++) {
    nowMs += 1000;
    count += 500;
    expect(rate()).toBe(500);
    expect(rate()).toBe(500);
  }
  for (let second = 0; second < 6; second++) {
    nowMs += 1000;
    rate();
  }
  expect(rate()).toBe(0);
  // Nobody has looked for an hour.
  nowMs += 3_600_000;
  count += 1e9;
  expect(rate()).toBeNull();
  nowMs += 1000;
  count += 70;
  expect(rate()).toBe(70);
});
