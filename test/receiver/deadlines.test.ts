import { expect, it } from 'vitest';
import { type ConnectionState, Deadlines } from '../../src/receiver/deadlines.ts';

const LIMITS = { helloMs: 1000, keepaliveMs: 800, silenceMs: 2000, stallMs: 4000 };
const OPEN: ConnectionState = { greeted: true, paused: false, bytesRead: 0 };

/** Ticks until a deadline is missed, in ms, and why; `state` is asked at each tick. */
function missedAfter(deadlines: Deadlines, state: (tick: number) => ConnectionState) {
  for (let tick = 1; tick < 1000; tick++) {
    const { missed } = deadlines.tick(state(tick));
    if (missed !== undefined) return { ms: tick * deadlines.tickMs, missed };
  }
  return undefined;
}

it('HELLO must come, and nothing else counts before', () => {
  const deadlines = new Deadlines(LIMITS);
  expect(missedAfter(deadlines, (tick) => ({ ...OPEN, greeted: false, bytesRead: tick }))).toEqual({
    ms: 1000,
    missed: 'no HELLO in time',
  });
});

it('a silent peer is told from one whose socket we have paused', () => {
  const missed = 'nothing received for 2000 ms';
  expect(missedAfter(new Deadlines(LIMITS), () => OPEN)).toEqual({ ms: 2100, missed });
  const pausedFor = (ticks: number) => (tick: number) => ({ ...OPEN, paused: tick <= ticks });
  expect(missedAfter(new Deadlines(LIMITS), pausedFor(100))).toMatchObject({ missed });
  expect(missedAfter(new Deadlines(LIMITS), pausedFor(1000))).toBeUndefined();
  expect(missedAfter(new Deadlines(LIMITS), (tick) => ({ ...OPEN, bytesRead: tick }))).toBeUndefined();
});

it('a peer must read, if slowly', () => {
  const alive = (tick: number) => ({ ...OPEN, bytesRead: tick });
  const stuck = new Deadlines(LIMITS);
  stuck.sent();
  expect(missedAfter(stuck, alive)).toEqual({ ms: 4100, missed: 'nothing read for 4000 ms' });
  const slow = new Deadlines(LIMITS);
  const reads = (tick: number) => {
    if (tick % 30 === 0) slow.left();
    if (tick % 30 === 0) slow.sent();
    return alive(tick);
  };
  slow.sent();
  expect(missedAfter(slow, reads)).toBeUndefined();
});

it('KEEPALIVE is due when nothing was sent for long enough', () => {
  const deadlines = new Deadlines(LIMITS);
  const due: number[] = [];
  for (let tick = 1; tick <= 20; tick++) {
    if (!deadlines.tick({ ...OPEN, bytesRead: tick }).keepaliveDue) continue;
    due.push(tick * deadlines.tickMs);
    deadlines.sent();
    deadlines.left();
  }
  expect(due).toEqual([800, 1600]);
});
