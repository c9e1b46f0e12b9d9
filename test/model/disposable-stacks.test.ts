import { describe, expect, it } from 'vitest';
import { AsyncStack, SyncStack } from '../../src/model/disposable-stacks.ts';

/** Ours, and those of this Node. */
const STACKS = [
  { name: 'ours', Sync: SyncStack, Async: AsyncStack },
  { name: "Node's", Sync: DisposableStack, Async: AsyncDisposableStack },
];

describe.each(STACKS)('$name', ({ Sync, Async }) => {
  it('ends what it took, the last first, once', () => {
    const ended: string[] = [];
    const stack = new Sync();
    stack.defer(() => void ended.push('first'));
    expect(stack.use({ [Symbol.dispose]: () => void ended.push('second'), a: 1 }).a).toBe(1);
    expect(stack.use(undefined)).toBeUndefined();
    expect(stack.adopt('third', (word) => void ended.push(word))).toBe('third');
    stack.dispose();
    stack[Symbol.dispose]();
    expect(ended).toEqual(['third', 'second', 'first']);
    expect(stack.disposed).toBe(true);
    expect(() => stack.defer(() => undefined)).toThrow(ReferenceError);
  });

  it('waits for each end, and ends all whatever one throws', async () => {
    const ended: string[] = [];
    const stack = new Async();
    stack.use({ [Symbol.dispose]: () => void ended.push('plain') });
    stack.defer(() => Promise.reject(new Error('one')));
    stack.use({
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        ended.push('waited for');
      },
    });
    stack.adopt('adopted', async (word) => void ended.push(word));
    await expect(stack.disposeAsync()).rejects.toThrow('one');
    expect(ended).toEqual(['adopted', 'waited for', 'plain']);
  });

  it('tells of both errors where two ends fail', async () => {
    const stack = new Async();
    stack.defer(() => Promise.reject(new Error('later')));
    stack.defer(() => Promise.reject(new Error('earlier')));
    const failed: unknown = await stack.disposeAsync().catch((error: unknown) => error);
    expect(failed).toMatchObject({
      name: 'SuppressedError',
      error: expect.objectContaining({ message: 'later' }) as unknown,
      suppressed: expect.objectContaining({ message: 'earlier' }) as unknown,
    });
  });

  it('moves what it took, and ends nothing of it any more', async () => {
    const ended: string[] = [];
    const stack = new Async();
    stack.defer(() => void ended.push('a'));
    stack.defer(() => void ended.push('b'));
    const moved = stack.move();
    await stack[Symbol.asyncDispose]();
    expect([ended, stack.disposed]).toEqual([[], true]);
    await moved[Symbol.asyncDispose]();
    expect(ended).toEqual(['b', 'a']);
  });
});
