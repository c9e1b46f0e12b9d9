import { expect, test } from 'vitest';
import { pause, Wakeup } from '../../src/flow/wake-up.ts';

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

test('a wake ends the sleep', async () => {
  const wakeup = new Wakeup();
  const sleeping = wakeup.sleep(HOUR_MS, never);
  wakeup.wake();
  await expect(sleeping).resolves.toBeUndefined();
});

test('a wake while nobody sleeps is kept for the next sleep, once', async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  wakeup.wake();
  await wakeup.sleep(HOUR_MS, never);
  let second = false;
  const sleeping = wakeup.sleep(HOUR_MS, never).then(() => (second = true));
  await new Promise(setImmediate);
  expect(second).toBe(false);
  wakeup.wake();
  await sleeping;
});

test('an endless sleep waits, instead of firing at once', async () => {
  const wakeup = new Wakeup();
  let ended = false;
  const sleeping = wakeup.sleep(Infinity, never).then(() => (ended = true));
  await pause(5, never);
  expect(ended).toBe(false);
  wakeup.wake();
  await sleeping;
});

test('the signal ends a sleep and a pause, also one that fired before', async () => {
  const stop = new AbortController();
  const sleeping = new Wakeup().sleep(HOUR_MS, stop.signal);
  const pausing = pause(HOUR_MS, stop.signal);
  stop.abort();
  await expect(Promise.all([sleeping, pausing, pause(HOUR_MS, stop.signal)])).resolves.toHaveLength(3);
});
