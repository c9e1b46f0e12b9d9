import { describe, expect, it } from 'vitest';
import { KeyOrder } from '../../src/events/work/key-order.ts';

/** Over what the source promises: from one to the next, and how long one that does not come is waited for. */
const [STEP_MS, MOST_STEP_MS, OVERDUE_MS] = [10, 250, 60_000];
/** RabbitMQ keeps for 300 s what shall come again after 61 s. */
const LONGER = 6;

function order() {
  const clock = { ms: 1000 };
  return { clock, order: new KeyOrder(() => clock.ms) };
}

describe('the order of a place', () => {
  it('lets anything through where nothing waits', () => {
    const { order: turns } = order();
    expect(turns.isTurn('a', 'm1')).toBe(true);
    turns.done('a', 'm1');
    expect(turns.isTurn('a', 'm1')).toBe(true);
  });

  it('has later ones wait behind the first, one step after the other, and other places not at all', () => {
    const { order: turns } = order();
    expect(turns.wait('a', 'm1', 5_000)).toBe(5_000);
    expect(turns.isTurn('a', 'm1')).toBe(true);
    expect(turns.isTurn('a', 'm2')).toBe(false);
    expect(turns.wait('a', 'm2')).toBe(5_000 + STEP_MS);
    expect(turns.wait('a', 'm3')).toBe(5_000 + 2 * STEP_MS);
    expect(turns.isTurn('b', 'm2')).toBe(true);
    turns.done('a', 'm1');
    expect(turns.isTurn('a', 'm3')).toBe(false);
    expect(turns.isTurn('a', 'm2')).toBe(true);
  });

  it('has the first one that finds no room here come again after a step, not at once', () => {
    const { clock, order: turns } = order();
    expect(turns.wait('a', 'm1')).toBe(STEP_MS);
    expect(turns.wait('a', 'm2')).toBe(2 * STEP_MS);
    clock.ms += STEP_MS;
    expect(turns.isTurn('a', 'm1')).toBe(true);
    expect(turns.wait('a', 'm1')).toBe(STEP_MS);
  });

  it('goes at the pace of the place, within bounds', () => {
    const { clock, order: turns } = order();
    for (let index = 0; index < 100; index++) turns.wait('a', `m${index}`, 0);
    for (let index = 0; index < 20; index++) {
      clock.ms += 40;
      turns.done('a', `m${index}`);
    }
    expect(turns.wait('a', 'm20')).toBeCloseTo(40, 0);
    const [m98 = NaN, m99 = NaN] = ['m98', 'm99'].map((id) => turns.wait('a', id));
    expect(m99 - m98).toBeCloseTo(40, 0);
    // What is under way takes longer.
    clock.ms += 100;
    expect(turns.wait('a', 'm20')).toBe(100);
    clock.ms += 10_000;
    expect(turns.wait('a', 'm20')).toBe(MOST_STEP_MS);
  });

  it('keeps the place of one that fails again, and those behind it wait longer', () => {
    const { clock, order: turns } = order();
    turns.wait('a', 'm1', 1_000);
    turns.wait('a', 'm2');
    clock.ms += 1_000;
    expect(turns.wait('a', 'm1', 4_000)).toBe(4_000);
    expect(turns.isTurn('a', 'm2')).toBe(false);
    expect(turns.wait('a', 'm2')).toBe(4_000 + MOST_STEP_MS);
  });

  it('has one whose turn it is not wait a step at least, also while those before it are worked on', () => {
    const { clock, order: turns } = order();
    turns.wait('a', 'm1', 1_000);
    turns.wait('a', 'm2');
    clock.ms += 10_000;
    expect(turns.isTurn('a', 'm1')).toBe(true);
    expect(turns.isTurn('a', 'm2')).toBe(false);
    expect(turns.wait('a', 'm2')).toBe(MOST_STEP_MS);
    expect(turns.wait('b', 'm3')).toBe(STEP_MS);
  });

  it('goes on without one that does not come in time', () => {
    const { clock, order: turns } = order();
    turns.wait('a', 'm1', 1_000);
    turns.wait('a', 'm2');
    clock.ms += 1_000 * LONGER + OVERDUE_MS;
    expect(turns.isTurn('a', 'm2')).toBe(false);
    clock.ms += 1;
    expect(turns.isTurn('a', 'm2')).toBe(true);
    // It comes after all: nobody else waits for it.
    turns.done('a', 'm1');
    turns.done('a', 'm2');
    expect(turns.isTurn('a', 'm3')).toBe(true);
  });

  it('remembers 100,000 of them; more are let through in any order, and room comes back', () => {
    const { order: turns } = order();
    for (let index = 0; index < 100_000; index++) turns.wait(`${index}`, 'm', 1_000);
    expect(turns.wait('one more', 'm', 1_000)).toBe(1_000);
    expect(turns.isTurn('one more', 'other')).toBe(true);
    turns.done('7', 'm');
    turns.wait('one more', 'm', 1_000);
    expect(turns.isTurn('one more', 'other')).toBe(false);
  });
});
