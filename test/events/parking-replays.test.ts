import { utimesSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { all, files, folder, keysOf, open, record, freshParking } from './parking-support.ts';

beforeEach(freshParking);

describe('a record that is to be taken again', () => {
  it('is told once, stays parked, and is told again when it failed and is asked for anew', async () => {
    const parking = await open();
    await parking.park(record('a'));
    await parking.park(record('b'));
    expect(await parking.replays()).toEqual([]);
    const id = (await all(parking))[0]!.id;
    await parking.replay(id);
    expect(keysOf(await parking.replays())).toEqual(['a']);
    expect(await parking.replays()).toEqual([]);
    expect(parking.count).toBe(2);
    await parking.park(record('a', { reason: 'again' }));
    expect(files().filter((name) => name.endsWith('.replay'))).toEqual([]);
    expect(await parking.replays()).toEqual([]);
    await parking.replay(id);
    expect(await parking.replays()).toMatchObject([{ key: 'a', reason: 'again' }]);
    await parking.settled('b', 'a');
    expect([parking.count, files().length]).toEqual([1, 1]);
  });

  it('is told again when it was given back', async () => {
    const parking = await open();
    await parking.park(record('a'));
    const [id = ''] = await parking.ids();
    await parking.replay(id);
    const long = new Date(Date.now() - 60_000);
    utimesSync(folder, long, long);
    for (let look = 0; look < 3; look++) {
      expect(keysOf(await parking.replays())).toEqual(['a']);
      expect(await parking.replays()).toEqual([]);
      parking.later(id);
    }
    await parking.settled('b', 'a');
    // Whoever took it may drop it once more.
    await parking.drop(id);
    expect(parking.count).toBe(0);
  });

  it('is told again after a restart where that came first', async () => {
    const parking = await open();
    await parking.park(record('a'));
    await parking.replay((await all(parking))[0]!.id);
    expect(await parking.replays()).toHaveLength(1);
    expect(keysOf(await (await open()).replays())).toEqual(['a']);
  });

  it('comes with others in portions, until all were told', async () => {
    const parking = await open();
    await Promise.all(Array.from({ length: 40 }, (_, at) => parking.park(record(`k${at}`))));
    for (const id of await parking.ids()) await parking.replay(id);
    const seen: (string | undefined)[] = [];
    for (;;) {
      const portion = await parking.replays();
      if (portion.length === 0) break;
      expect(portion.length).toBeLessThanOrEqual(16);
      seen.push(...keysOf(portion));
    }
    expect(new Set(seen).size).toBe(40);
    expect(seen).toHaveLength(40);
  });

  it('is found after a long time in which nothing changed', async () => {
    const parking = await open();
    await parking.park(record('a'));
    const long = new Date(Date.now() - 60_000);
    utimesSync(folder, long, long);
    for (let look = 0; look < 3; look++) expect(await parking.replays()).toEqual([]);
    await (await open()).replay((await parking.ids())[0]!);
    expect(keysOf(await parking.replays())).toEqual(['a']);
  });
});
