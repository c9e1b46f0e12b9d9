import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NoTurn, Turns } from '../../src/events/work/turns.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Eight turns at a time, of which the last two are for buckets that have none; nothing that has begun ends before it is told to. */
function stage({ areShared = true } = {}) {
  const turns = new Turns({ width: 8, areShared });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const left: [string, NoTurn][] = [];
  const take = (name: string, mayLeave = true): void => {
    const task = async (): Promise<'done'> => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
      return 'done';
    };
    void turns.take(name.slice(0, 1), mayLeave, task).then((result) => {
      if (result !== 'done') left.push([name, result]);
    });
  };
  const takeAll = (bucket: string, count: number, mayLeave = true): void => {
    for (let index = 0; index < count; index++) take(`${bucket}${index}`, mayLeave);
  };
  return { turns, begun, ends, left, take, takeAll, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

describe('turns', () => {
  it('leave room for other buckets, and come in their order', async () => {
    const { begun, ends, take, takeAll, pass } = stage();
    takeAll('a', 9);
    await pass(0);
    expect(begun).toEqual(Array.from({ length: 6 }, (_, index) => `a${index}`));
    takeAll('b', 2);
    await pass(0);
    expect(begun.slice(6)).toEqual(['b0']);
    ends[0]!();
    await pass(0);
    expect(begun.slice(7)).toEqual([]);
    ends[1]!();
    ends[2]!();
    ends[3]!();
    await pass(0);
    expect(begun.slice(7)).toEqual(['a6', 'a7', 'a8']);
    take('c0');
    ends[4]!();
    await pass(0);
    expect(begun.slice(10)).toEqual(['c0']);
    ends[5]!();
    await pass(0);
    expect(begun.slice(11)).toEqual(['b1']);
  });

  it('are left for a third bucket where two never come to an end', async () => {
    const { begun, ends, takeAll, pass } = stage();
    takeAll('a', 9);
    takeAll('b', 9);
    await pass(0);
    expect(begun).toHaveLength(7);
    takeAll('c', 3);
    await pass(0);
    expect(begun.slice(7)).toEqual(['c0']);
    for (const name of ['c1', 'c2']) {
      ends.at(-1)!();
      await pass(0);
      expect(begun.at(-1)).toBe(name);
    }
  });

  it('are all for one bucket where there are no others', async () => {
    const { begun, takeAll, pass } = stage({ areShared: false });
    takeAll('a', 9);
    await pass(0);
    expect(begun).toHaveLength(8);
  });

  it('of a bucket that has none for 10 s are waited for by few, and by none that comes then', async () => {
    const { begun, ends, left, take, takeAll, pass } = stage();
    takeAll('a', 18);
    await pass(9_999);
    expect(left).toEqual([]);
    await pass(2);
    expect(left).toEqual(['a12', 'a13', 'a14', 'a15', 'a16', 'a17'].map((name) => [name, 'slow']));
    take('a18');
    take('a19', false);
    take('b0');
    await pass(0);
    expect(left.at(-1)).toEqual(['a18', 'slow']);
    expect(begun.at(-1)).toBe('b0');
    for (let round = 0; round < 3; round++) {
      for (const end of ends) end();
      await pass(0);
    }
    expect(begun).toHaveLength(14);
    expect(begun).toContain('a19');
    take('a20');
    await pass(0);
    expect(begun).toContain('a20');
  });

  it('of those who may not leave are waited for', async () => {
    const { left, takeAll, pass } = stage();
    takeAll('a', 18, false);
    await pass(60_000);
    expect(left).toEqual([]);
  });

  it('do not come once all is stopped', async () => {
    const { turns, begun, ends, left, takeAll, pass } = stage();
    takeAll('a', 9);
    await pass(0);
    turns.stop();
    for (const end of ends) end();
    await pass(60_000);
    expect(left).toEqual(['a6', 'a7', 'a8'].map((name) => [name, 'stopped']));
    expect(begun).toHaveLength(6);
  });
});
