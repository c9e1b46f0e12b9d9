import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NoTurn, Turns } from '../../src/events/work/turns.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Four turns at a time, of which a bucket may have three; nothing that has begun ends before it is told to. */
function stage({ areShared = true } = {}) {
  const turns = new Turns({ width: 4, areShared });
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
    takeAll('a', 5);
    await pass(0);
    expect(begun).toEqual(['a0', 'a1', 'a2']);
    takeAll('b', 2);
    await pass(0);
    expect(begun.slice(3)).toEqual(['b0']);
    ends[0]!();
    await pass(0);
    take('c0');
    ends[1]!();
    await pass(0);
    expect(begun.slice(4)).toEqual(['b1', 'a3']);
  });

  it('are all for one bucket where there are no others', async () => {
    const { begun, takeAll, pass } = stage({ areShared: false });
    takeAll('a', 5);
    await pass(0);
    expect(begun).toHaveLength(4);
  });

  it('of a bucket that has none for 10 s are waited for by few, and by none that comes then', async () => {
    const { begun, ends, left, take, takeAll, pass } = stage();
    takeAll('a', 10);
    await pass(9_999);
    expect(left).toEqual([]);
    await pass(2);
    expect(left).toEqual(['a6', 'a7', 'a8', 'a9'].map((name) => [name, 'slow']));
    take('a10');
    take('a11', false);
    take('b0');
    await pass(0);
    expect(left.at(-1)).toEqual(['a10', 'slow']);
    expect(begun.at(-1)).toBe('b0');
    for (const end of ends) end();
    await pass(0);
    for (const end of ends) end();
    await pass(0);
    expect(begun.toSorted()).toEqual(['a0', 'a1', 'a11', 'a2', 'a3', 'a4', 'a5', 'b0']);
    take('a12');
    await pass(0);
    expect(begun).toContain('a12');
  });

  it('of those who may not leave are waited for', async () => {
    const { left, takeAll, pass } = stage();
    takeAll('a', 10, false);
    await pass(60_000);
    expect(left).toEqual([]);
  });

  it('do not come once all is stopped', async () => {
    const { turns, begun, ends, left, takeAll, pass } = stage();
    takeAll('a', 5);
    await pass(0);
    turns.stop();
    for (const end of ends) end();
    await pass(60_000);
    expect(left).toEqual(['a3', 'a4'].map((name) => [name, 'stopped']));
    expect(begun).toHaveLength(3);
  });
});
