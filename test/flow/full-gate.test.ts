import { expect, onTestFinished, test, vi } from 'vitest';
import { FullGate } from '../../src/flow/full-gate.ts';

function gate(giveUpAfterMs?: number) {
  const told = { admits: 0, gaveUp: 0 };
  const closing = new AbortController();
  onTestFinished(() => closing.abort());
  const policy = { giveUpAfterMs, firstDelayMs: 1, longestDelayMs: 1 };
  const full = new FullGate<string>(
    policy,
    closing.signal,
    () => void told.admits++,
    () => void told.gaveUp++,
  );
  const reopened = async () => await vi.waitFor(() => expect(full.admits).toBe(true), 60_000);
  return { full, told, reopened };
}

test('a gate that met no room admits one job after the wait, and all once any is kept', async () => {
  const { full, told, reopened } = gate();
  expect(full.admits).toBe(true);
  full.refused('a');
  expect(full.admits).toBe(false);
  await reopened();
  full.admitted('b');
  expect(full.admits).toBe(false);
  full.kept();
  expect(full.admits).toBe(true);
  full.admitted('c');
  expect(full.admits).toBe(true);
  expect(told.gaveUp).toBe(0);
});

test('a gate shuts again where its probe finds no room, and heeds no refusal of others', async () => {
  const { full, reopened } = gate();
  full.refused('a');
  await reopened();
  full.admitted('b');
  full.refused('late');
  full.returned('late');
  expect(full.admits).toBe(false);
  full.refused('b');
  expect(full.admits).toBe(false);
  await reopened();
});

test('a gate lets another probe go where one ends by something else', async () => {
  const { full, told, reopened } = gate();
  full.refused('a');
  await reopened();
  full.admitted('b');
  const before = told.admits;
  full.returned('b');
  expect(full.admits).toBe(true);
  expect(told.admits).toBe(before + 1);
});

test('a gate that has found no room for too long says so', async () => {
  const { full, told } = gate(0);
  full.refused('a');
  await vi.waitFor(() => expect(told.gaveUp).toBe(1), 60_000);
  expect(full.admits).toBe(true);
});
