import { expect, it, onTestFinished } from 'vitest';
import * as fc from 'fast-check';
import { BatchCalls, type EntryFailure } from '../../src/events/sqs/batch-calls.ts';
import { LinkLog } from '../../src/events/sqs/link-log.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { eventually } from './sqs-support.ts';

interface Item {
  readonly id: number;
  unwanted?: boolean;
}

/** Calls that wait until they are answered. */
function stand(
  respond?: (items: readonly Item[]) => Promise<readonly (EntryFailure | undefined)[]>,
  gatherMs?: number,
): Stand {
  const calls: Call[] = [];
  const settled: { item: Item; failure: EntryFailure | undefined }[] = [];
  const log = new RecordingLog();
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const batch = new BatchCalls<Item, Item>({
    perCall: 10,
    ...(gatherMs !== undefined && { gatherMs }),
    entryFor: (item) => (item.unwanted === true ? undefined : item),
    call: async (items) => {
      const answer = Promise.withResolvers<readonly (EntryFailure | undefined)[]>();
      const call = { items, answer: () => answer.resolve(items.map(() => undefined)), isUnderWay: true };
      calls.push(call);
      try {
        return await (respond === undefined ? answer.promise : respond(items));
      } finally {
        call.isUnderWay = false;
      }
    },
    finalCodes: new Set(['Final']),
    settled: (item, _, failure) => settled.push({ item, failure }),
    link: new LinkLog(log),
    longestWaitMs: 5,
    signal: end.signal,
  });
  return { batch, calls, settled, log, end };
}

interface Call {
  readonly items: readonly Item[];
  readonly answer: () => void;
  isUnderWay: boolean;
}

interface Stand {
  readonly batch: BatchCalls<Item, Item>;
  readonly calls: Call[];
  readonly settled: { item: Item; failure: EntryFailure | undefined }[];
  readonly log: RecordingLog;
  readonly end: AbortController;
}

const items = (count: number): Item[] => Array.from({ length: count }, (_, id) => ({ id }));

it('sends the first at once, and what gathers meanwhile in full calls beside it', async () => {
  const { batch, calls } = stand();
  const all = items(60);
  batch.add(all[0]!);
  await eventually(() => expect(calls).toHaveLength(1));
  for (const item of all.slice(1, 10)) batch.add(item);
  await Promise.resolve();
  expect(calls).toHaveLength(1);
  for (const item of all.slice(10)) batch.add(item);
  await eventually(() => expect(calls).toHaveLength(4));
  expect(calls.map((call) => call.items.length)).toEqual([1, 10, 10, 10]);
  calls[0]!.answer();
  await eventually(() => expect(calls).toHaveLength(5));
  expect(calls[4]!.items.map(({ id }) => id)).toEqual([31, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
});

it('gathers what does not fill a call, once one has gone', async () => {
  const done = (items: readonly Item[]) => Promise.resolve(items.map(() => undefined));
  const { batch, calls, settled } = stand(done, 600_000);
  const all = items(30);
  batch.add(all[0]!);
  await eventually(() => expect(settled).toHaveLength(1));
  for (const item of all.slice(1, 25)) batch.add(item);
  await eventually(() => expect(settled).toHaveLength(21));
  for (const item of all.slice(25)) batch.add(item);
  await eventually(() => expect(settled).toHaveLength(21));
  expect(calls.map((call) => call.items.length)).toEqual([1, 10, 10]);
  batch.add({ id: 30 });
  await eventually(() => expect(settled).toHaveLength(31));
});

it('sends what has gathered when its time has come, though it fills no call', async () => {
  const done = (items: readonly Item[]) => Promise.resolve(items.map(() => undefined));
  const { batch, calls, settled } = stand(done, 20);
  const all = items(4);
  batch.add(all[0]!);
  await eventually(() => expect(settled).toHaveLength(1));
  for (const item of all.slice(1)) batch.add(item);
  await eventually(() => expect(settled).toHaveLength(4));
  expect(calls.map((call) => call.items.length)).toEqual([1, 3]);
});

it('puts what is added while it is under way into a later call', async () => {
  const { batch, calls, settled } = stand();
  const [item] = items(1);
  batch.add(item!);
  await eventually(() => expect(calls).toHaveLength(1));
  batch.add(item!);
  batch.add(item!);
  expect(batch.isUnclear(item!)).toBe(true);
  calls[0]!.answer();
  await eventually(() => expect(calls).toHaveLength(2));
  calls[1]!.answer();
  await eventually(() => expect(settled).toHaveLength(2));
  expect(batch.isUnclear(item!)).toBe(false);
});

it('sends nothing for what is not wanted any more', async () => {
  const { batch, calls, settled } = stand();
  const [first, second] = items(2);
  batch.add(first!);
  batch.add(second!);
  first!.unwanted = true;
  await eventually(() => expect(calls).toHaveLength(1));
  calls[0]!.answer();
  await eventually(() => expect(settled).toEqual([{ item: second, failure: undefined }]));
  expect(calls[0]!.items).toEqual([second]);
});

it('sends one call at a time while calls fail', async () => {
  let isDown = true;
  const { batch, calls, settled, log } = stand(async (sent) => {
    await new Promise(setImmediate);
    if (isDown) throw new IsyncError('UNREACHABLE', 'down');
    return sent.map(() => undefined);
  });
  for (const item of items(10)) batch.add(item);
  await eventually(() => expect(calls.length).toBeGreaterThan(1));
  for (const item of items(50)) batch.add(item);
  const before = calls.length;
  await eventually(() => {
    expect(calls.filter(({ isUnderWay }) => isUnderWay).length).toBeLessThanOrEqual(1);
    expect(calls.length).toBeGreaterThan(before + 20);
  });
  isDown = false;
  await eventually(() => expect(settled).toHaveLength(60));
  expect(log.messages).toEqual(['the queue can not be reached; trying again', 'the queue is reached again']);
});

it('settles all at once where the queue refuses for good', async () => {
  const { batch, calls, settled } = stand(async () => {
    throw new IsyncError('STORE_REFUSED', 'no right');
  });
  for (const item of items(10)) batch.add(item);
  await eventually(() => expect(settled).toHaveLength(10));
  expect(calls).toHaveLength(1);
  expect(settled.every(({ failure }) => failure?.code === 'STORE_REFUSED')).toBe(true);
});

it('settles each item once for each time that it is wanted, whatever fails', async () => {
  const fault = fc.constantFrom('cut', 'some', 'final', undefined, undefined);
  const plan = fc.record({
    faults: fc.array(fault, { maxLength: 30 }),
    adds: fc.array(fc.integer({ min: 0, max: 39 }), { minLength: 1, maxLength: 120 }),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ faults, adds }) => {
      const rest = [...faults];
      const { batch, calls, settled, end } = stand(async (sent) => {
        await new Promise(setImmediate);
        const next = rest.shift();
        if (next === 'cut') throw new IsyncError('UNREACHABLE', 'cut');
        return sent.map(({ id }) => {
          if (next === undefined || id % 3 !== 0) return undefined;
          return { code: next === 'final' ? 'Final' : 'InternalError', message: '' };
        });
      });
      const all = items(40);
      const wanted = new Set(adds);
      for (const [index, id] of adds.entries()) {
        batch.add(all[id]!);
        if (index % 7 === 0) await new Promise(setImmediate);
        expect(calls.filter(({ isUnderWay }) => isUnderWay).length).toBeLessThanOrEqual(4);
        const underWay = calls.filter(({ isUnderWay }) => isUnderWay).flatMap((call) => call.items);
        expect(new Set(underWay).size).toBe(underWay.length);
      }
      await eventually(() => {
        expect(new Set(settled.map(({ item }) => item.id))).toEqual(wanted);
        expect(all.some((item) => batch.isUnclear(item))).toBe(false);
      });
      expect(settled.length).toBeLessThanOrEqual(adds.length);
      expect(calls.every((call) => call.items.length <= 10 && call.items.length > 0)).toBe(true);
      end.abort();
    }),
    { numRuns: 60 },
  );
});
