import { beforeEach, describe, expect, it, vi } from 'vitest';
import { SharedSync } from '../../src/events/parking/shared-sync.ts';
import { all, keysOf, open, record, freshParking } from './parking-support.ts';

beforeEach(freshParking);

describe('many records at once', () => {
  it('share the syncs of the folder: a thousand need some dozens', async () => {
    let syncs = 0;
    const sync = new SharedSync(async () => {
      syncs++;
      await new Promise((resolve) => setImmediate(resolve));
    });
    await Promise.all(Array.from({ length: 1000 }, () => sync.run()));
    expect(syncs).toBe(2);
    await sync.run();
    expect(syncs).toBe(3);
  });

  it('wait for a sync that began after them, also where one fails', async () => {
    const ends: ((error?: Error) => void)[] = [];
    const sync = new SharedSync(
      () =>
        new Promise((resolve, reject) =>
          ends.push((error) => (error === undefined ? resolve() : reject(error))),
        ),
    );
    const order: string[] = [];
    const first = sync.run().then(
      () => order.push('first'),
      () => order.push('first failed'),
    );
    const second = sync.run().then(() => order.push('second'));
    ends[0]!(new Error('no'));
    await first;
    await vi.waitFor(() => expect(ends).toHaveLength(2), 60_000);
    expect(order).toEqual(['first failed']);
    ends[1]!();
    await second;
    expect(order).toEqual(['first failed', 'second']);
  });

  it('are all durable under their names', async () => {
    const parking = await open();
    await Promise.all(Array.from({ length: 1000 }, (_, at) => parking.park(record(`k${at}`))));
    const later = await open();
    expect(later.count).toBe(1000);
    expect(new Set(keysOf(await all(later))).size).toBe(1000);
  });
});
