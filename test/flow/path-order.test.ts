import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { expect, it } from 'vitest';
import { PathOrder } from '../../src/flow/path-order.ts';

it.each(['resolves', 'rejects'])(
  'has later steps at each of many paths wait for one step at all of them, which %s',
  async (ends) => {
    const order = new PathOrder<string>();
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    const all = order.runAll(['a', 'b'], async () => {
      await gate.promise;
      done.push('all');
      if (ends === 'rejects') throw new Error('failed');
    });
    const ended = Promise.allSettled([all]);
    const step = (path: string) => order.run(path, async () => void done.push(path));
    const [a, b] = [step('a'), step('b')];
    await step('c');
    expect(done).toEqual(['c']);
    gate.resolve();
    await Promise.all([a, b]);
    expect(done).toEqual(['c', 'all', 'a', 'b']);
    expect(await ended).toMatchObject([{ status: ends === 'rejects' ? 'rejected' : 'fulfilled' }]);
    expect(order.split(['a', 'b'], (path) => path).inTurn).toEqual([]);
  },
);

it('waits for all of them when it is to be idle', async () => {
  const order = new PathOrder<string>();
  const gate = Promise.withResolvers<void>();
  let isIdle = false;
  void order.runAll(['a', 'b'], () => gate.promise);
  const idle = order.idle().then(() => (isIdle = true));
  await order.run('c', async () => undefined);
  expect(isIdle).toBe(false);
  gate.resolve();
  await idle;
});

it('runs the steps of each path in the order in which they were asked for', async () => {
  const messages = array(array(constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 6 }), {
    maxLength: 12,
  });
  await assert(
    asyncProperty(messages, async (messages) => {
      const order = new PathOrder<string>();
      const asked = new Map<string, number[]>();
      const done = new Map<string, number[]>();
      let count = 0;
      const note = (map: Map<string, number[]>, path: string, at: number) =>
        void map.set(path, [...(map.get(path) ?? []), at]);
      const steps: Promise<void>[] = [];
      for (const paths of messages) {
        const items = paths.map((path) => ({ path, at: count++ }));
        for (const { path, at } of items) note(asked, path, at);
        const { together, inTurn } = order.split(items, ({ path }) => path);
        const turns = count % 3;
        const step = async (some: typeof items) => {
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          for (const { path, at } of some) note(done, path, at);
        };
        if (together.length > 0)
          steps.push(
            order.runAll(
              together.map(({ path }) => path),
              () => step(together),
            ),
          );
        for (const each of inTurn) steps.push(order.run(each.path, () => step([each])));
      }
      await Promise.all(steps);
      expect(done).toEqual(asked);
    }),
  );
});
