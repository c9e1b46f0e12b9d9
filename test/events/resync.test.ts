import { mkdirSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openParking } from '../../src/events/parking/open-parking.ts';
import { parseMessage } from '../../src/events/parse/parse-message.ts';
import { Lanes } from '../../src/events/work/lanes.ts';
import { WorkTally } from '../../src/events/work/work-tally.ts';
import { Records } from '../../src/events/work/records.ts';
import type { Difference } from '../../src/events/compare/difference-message.ts';
import { differences, type ListedKey, resync, type ResyncOptions } from '../../src/events/pull/resync.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import { downloadAction } from '../../src/events/action/download/download-action.ts';
import type { Apply, Task } from '../../src/events/action/download/task.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { keyMapOf } from './key-map-of.ts';

describe('a comparison with the bucket', () => {
  it('finds nothing where all is as it should be', async () => {
    await using given = await start(['a', 'b/c']);
    expect(await given.differences(['a', 'b/c'])).toEqual([]);
  });

  it('finds what is new, changed, gone, and what somebody has changed or removed here', async () => {
    await using given = await start(['changed', 'edited', 'gone', 'lost', 'same', 'touched']);
    writeFileSync(given.path('edited'), 'longer than it was');
    unlinkSync(given.path('lost'));
    utimesSync(given.path('touched'), 1, 1);
    const listed = ['changed', 'edited', 'lost', 'new', 'same', 'touched'].map((key) => given.listed(key));
    listed[0] = { ...given.listed('changed'), etag: 'other' };
    expect(await given.differences(listed)).toEqual([
      'created changed',
      'created edited',
      'removed gone',
      'created lost',
      'created new',
      'created touched',
    ]);
    expect(await given.differences(listed, { removes: false })).not.toContain('removed gone');
  });

  it('walks in the order of UTF-8, which is not that of JavaScript', async () => {
    const keys = ['\u{ff5e}', '\u{10000}'];
    await using given = await start(keys);
    expect(await given.differences(keys)).toEqual([]);
  });

  it.each([
    ['out of order', ['a', 'c', 'b']],
    ['twice', ['a', 'a']],
  ])('compares with no listing that has keys %s', async (_, keys) => {
    await using given = await start(['a', 'b', 'c', 'd']);
    await expect(given.resync(keys, { maxDelete: { percent: 100 } })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      retryable: false,
    });
    expect(given.looked.filter((look) => look.startsWith('removed'))).toEqual([]);
  });

  it('takes differences down the path of events', async () => {
    await using given = await start(['gone', 'same']);
    const { looked, tally } = await given.resync(['new', 'same'], { maxDelete: { percent: 50 } });
    expect(looked).toEqual(['created new', 'removed gone']);
    expect(tally.summary).toMatchObject({ differences: 2 });
  });

  it('removes nothing where more would go than may, and does the rest', async () => {
    await using given = await start(['a', 'b', 'c', 'd']);
    const stopped = given.resync(['a', 'b', 'new'], { maxDelete: { percent: 25 } });
    await expect(stopped).rejects.toMatchObject({ code: 'RESYNC_STOPPED' });
    expect(given.looked).toEqual(['created new']);
    await expect(given.resync(['a', 'b'], { maxDelete: { files: 1 } })).rejects.toMatchObject({
      code: 'RESYNC_STOPPED',
    });
    expect(given.looked).toEqual(['created new']);
    await given.resync(['a', 'b', 'c'], { maxDelete: { percent: 25 } });
    expect(given.looked).toEqual(['created new', 'removed d']);
  });

  it('removes nothing where the listing breaks off', async () => {
    await using given = await start(['a', 'b', 'c', 'd', 'e']);
    const listing = async function* (): AsyncGenerator<ListedKey> {
      yield given.listed('a');
      throw new IsyncError('UNREACHABLE', 'cut');
    };
    await expect(given.resync(listing(), {})).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(given.looked).toEqual([]);
  });

  it('does not wait for trouble with what is new, before it has removed what is gone', async () => {
    await using given = await start(['a']);
    // More than are under way at a time, and none of them has a place before the file is gone.
    const listed = Array.from({ length: 1_500 }, (_, index) => `a/${10_000 + index}`);
    let listings = 0;
    const apply = async ({ event }: Task): Promise<Outcome> => {
      if (event.kind === 'created' && !given.looked.includes('removed a'))
        throw new IsyncError('BUSY', 'the path is still that of another key', { retryable: true });
      return { outcome: 'unchanged' };
    };
    const list = async function* () {
      listings += 1;
      for (const key of listed) yield given.listed(key);
    };
    await given.resync([], { list, apply, patienceMs: Infinity, maxDelete: { percent: 100 } });
    expect(given.looked.filter((look) => look.startsWith('removed'))).toEqual(['removed a']);
    // Those that had to wait are taken again alone.
    expect(given.looked).toHaveLength(1_500 + 1 + 1_500);
    expect(listings).toBe(1);
  });

  it('ends without the keys that trouble leaves undone, once its patience is over', async () => {
    await using given = await start([]);
    const apply = async ({ event }: Task): Promise<Outcome> => {
      if (event.key === 'full') throw new IsyncError('STORE_FULL', 'full');
      return { outcome: 'unchanged' };
    };
    const { verdicts } = await given.resync(['full', 'new'], { apply, patienceMs: 0 });
    expect(verdicts).toEqual(new Set(['settled', 'later']));
    expect(given.looked).toEqual(['created full', 'created new']);
  });

  it('outlives nothing that it has taken, also where the listing breaks off', async () => {
    await using given = await start([]);
    let isOver = false;
    const listing = async function* (): AsyncGenerator<ListedKey> {
      yield given.listed('new');
      throw new IsyncError('UNREACHABLE', 'cut');
    };
    const apply = async (): Promise<Outcome> => {
      for (let turns = 0; turns < 100; turns++) await turn();
      isOver = true;
      return { outcome: 'unchanged' };
    };
    await expect(given.resync(listing(), { apply })).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(isOver).toBe(true);
  });

  it('lists a second time to remove more keys than it keeps', async () => {
    await using given = await start(['a', 'b', 'c', 'd']);
    const listings: (readonly string[])[] = [['new'], ['new'], ['d', 'new'], []];
    const list = async function* () {
      for (const key of listings.shift() ?? []) yield given.listed(key);
    };
    const options = { list, mostGone: 2, maxDelete: { percent: 100 } };
    await given.resync([], options);
    expect(given.looked).toEqual(['created new', 'removed a', 'removed b', 'removed c', 'removed d']);
    given.looked.length = 0;
    const more = given.resync([], { ...options, maxDelete: { files: 3 } });
    await expect(more).rejects.toMatchObject({ code: 'RESYNC_STOPPED' });
    expect(given.looked).toEqual(['created new', 'removed a', 'removed b', 'removed c']);
  });

  it('parks a difference so that it can be taken again', async () => {
    await using given = await start([]);
    await given.resync(['in/x', 'with space+plus/../y'], {});
    const [parked] = await all(given.parking.list());
    expect(parsedKey(parked?.body ?? '')).toBe('with space+plus/../y');
  });
});

async function start(keys: readonly string[]) {
  const log = new RecordingLog();
  const base = temporaryFolder();
  const folder = join(base, 'folder');
  const opened = new AsyncDisposableStack();
  mkdirSync(join(base, 'state'));
  const state = opened.use(await openPullState(join(base, 'state', 'state.db'), { log }));
  const parking = await openParking(join(base, 'state', 'parked'), { log });
  const map = keyMapOf([['', folder]]);
  const looked: string[] = [];
  const path = (key: string): string => join(folder, key);
  const listed = (key: string): ListedKey => ({ key, size: key.length, etag: `of ${key}` });
  for (const key of keys) {
    mkdirSync(dirname(path(key)), { recursive: true });
    writeFileSync(path(key), key);
    const { size, mtimeMs } = statSync(path(key));
    await state.set({
      bucket: 'bucket',
      key,
      kind: 'file',
      folder,
      path: parseRelPath(key),
      etag: `of ${key}`,
      versionId: undefined,
      size,
      mtimeUs: toMicroseconds(mtimeMs),
      sequencer: undefined,
      timeMs: undefined,
    });
  }
  const compared = (from: readonly (string | ListedKey)[] | AsyncIterable<ListedKey>) => ({
    buckets: ['bucket'],
    keys: map,
    state,
    removes: true,
    rootOf: () => folder,
    list: () =>
      Symbol.asyncIterator in from
        ? from
        : (async function* () {
            for (const each of from) yield typeof each === 'string' ? listedAs(each) : each;
          })(),
  });
  const listedAs = (key: string): ListedKey => ({ key, size: Buffer.byteLength(key), etag: `of ${key}` });
  return {
    looked,
    parking,
    path,
    listed,
    async differences(
      from: readonly (string | ListedKey)[],
      options: Partial<ResyncOptions> = {},
    ): Promise<string[]> {
      const found: Difference[] = await all(differences({ ...compared(from), ...options }));
      return found.map(({ kind, key }) => `${kind} ${key}`);
    },
    async resync(
      from: readonly (string | ListedKey)[] | AsyncIterable<ListedKey>,
      {
        apply = async () => ({ outcome: 'unchanged' }),
        ...options
      }: Partial<ResyncOptions> & { readonly apply?: Apply },
    ) {
      const tally = new WorkTally();
      const never = new AbortController().signal;
      const action = downloadAction(map, async (task, signal) => {
        looked.push(`${task.event.kind} ${task.event.key}`);
        return await apply(task, signal);
      });
      const lanes = new Lanes({
        ...action,
        concurrency: 1,
        onRetry: () => {},
        signal: never,
        cut: never,
      });
      const parts = {
        action,
        attempts: 1,
        buckets: undefined,
        parking,
        observer: tally,
        log,
        failed: () => {},
        settled: () => {},
      };
      const verdicts = await resync({
        ...compared(from),
        records: new Records({ ...parts, lanes }),
        maxDelete: { percent: 25 },
        patienceMs: 0,
        keyEncoding: 'auto',
        observer: tally,
        log,
        signal: never,
        ...options,
      });
      return { looked, tally, verdicts };
    },
    [Symbol.asyncDispose]: async () => await opened[Symbol.asyncDispose](),
  };
}

function parsedKey(body: string): string | undefined {
  const [record] = parseMessage(body, { keyEncoding: 'auto' });
  return record?.outcome === 'event' ? record.event.key : undefined;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
