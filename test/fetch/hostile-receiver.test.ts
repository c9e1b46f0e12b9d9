import { mkdirSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openDestination } from '../../src/fetch/destination.ts';
import { FetchTally } from '../../src/fetch/fetch-tally.ts';
import { fetchFiles } from '../../src/fetch/fetch.ts';
import { openStoreReader } from '../../src/fetch/store-reader.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { MAX_READ_BYTES } from '../../src/protocol/limits.ts';
import type { Content, FileRange } from '../../src/protocol/messages.ts';
import { openReceiverStore } from '../../src/sender/ws/receiver-store.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import { fakeReceiver, type FakeSession } from '../sender/fake-receiver.ts';
import { QUICK, usingForTest } from '../sender/receiver-fixture.ts';

interface Lies {
  /** Names that it lists, with sizes. */
  readonly listed: Readonly<Record<string, number>>;
  readonly answer?: (range: FileRange) => Content['parts'][number];
  readonly list?: (session: FakeSession, request: number) => void;
}

/** Fetches all that a receiver has which lies. What is around the folder is the test's, too. */
async function fetchFrom({ listed, answer = zeros, list }: Lies) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'isync-fetch-')));
  onTestFinished(async () => await rm(base, { recursive: true }));
  mkdirSync(join(base, 'around/back'), { recursive: true });
  const stopped = new AbortController();
  const receiver = usingForTest(
    await fakeReceiver({
      reads: true,
      limits: { requests: 32 },
      message: (session, message) => {
        if (message.type === 'list' && list !== undefined) return list(session, message.request);
        if (message.type === 'list')
          session.say({
            type: 'listed',
            request: message.request,
            last: true,
            files: Object.entries(listed).map(([path, size]) => ({
              path: parseRelPath(path),
              size,
              mtimeUs: 7,
            })),
          });
        if (message.type === 'look')
          session.say({ type: 'looked', request: message.request, files: [undefined] });
        if (message.type === 'read')
          session.say({
            type: 'content',
            request: message.request,
            parts: message.ranges.map((range) => answer(range)),
          });
      },
    }),
  );
  const lost = vi.fn<(state: string, error?: unknown) => void>();
  const store = await openReceiverStore({
    url: receiver.url,
    device: 'edge1',
    digest: 'xxh64',
    retry: QUICK,
    signal: stopped.signal,
    onLink: (state, error) => state === 'lost' && lost(state, error),
  });
  await using reader = await openStoreReader(store, parseRelPath('edge1'), { filesAtOnce: 1024 });
  const tally = new FetchTally();
  await using destination = await openDestination(join(base, 'around/back'), {
    overwrite: false,
    source: undefined,
  });
  const fetching = fetchFiles({
    reader,
    into: destination.store,
    isWanted: () => true,
    overwrite: false,
    retry: { giveUpAfterMs: 0 },
    signal: stopped.signal,
    tally,
  });
  let isOver = false;
  void fetching.then(() => (isOver = true));
  // Whoever breaks a rule is asked again, for ever.
  await vi.waitUntil(() => isOver || lost.mock.calls.length > 3, { timeout: 60_000, interval: 5 });
  stopped.abort();
  await fetching;
  const told = tally.problems.map(({ code, path }) => `${code} ${path}`).toSorted();
  const around = readdirSync(base).concat(readdirSync(join(base, 'around')));
  const files = [...(await filesBelow(join(base, 'around/back'))).keys()].filter(
    (path) => !path.startsWith('.isync/'),
  );
  return { told, files: files.toSorted(), around, lost, tally };
}

function zeros({ start, length }: FileRange, size = length + start): Content['parts'][number] {
  const content = Buffer.alloc(Math.max(0, Math.min(length, size - start)));
  return { size, mtimeUs: 7, version: 'v', kept: undefined, digest: digestOf('xxh64', content), content };
}

it('leads nowhere by its names', async () => {
  const listed = {
    'DC1/fine': 5,
    '.isync/store-id': 5,
    '.isync/staging/x': 5,
    'DC1/finished.watch': 5,
    'DC1/fine/below': 5,
    [`DC1/${'x'.repeat(255)}`]: 5,
  };
  const { told, files, around } = await fetchFrom({ listed });
  expect(around).toEqual(['around', 'back']);
  expect(told).toEqual(
    expect.arrayContaining([
      'BAD_PATH .isync/staging/x',
      'BAD_PATH .isync/store-id',
      'BAD_PATH DC1/finished.watch',
    ]),
  );
  // One of the two, whichever came first.
  expect(told.filter((each) => each.startsWith('PATH_CONFLICT'))).toHaveLength(1);
  expect(files).toContain(`DC1/${'x'.repeat(255)}`);
});

it('is left where it names what can be no path', async () => {
  const { files, around, lost } = await fetchFrom({
    listed: {},
    list: ({ socket }, request) => {
      const honest = encode({
        type: 'listed',
        request,
        last: true,
        files: [{ path: parseRelPath('aa/b'), size: 1, mtimeUs: 1 }],
      });
      socket.send(Buffer.from(honest.toString('latin1').replace('aa/b', '../b'), 'latin1'));
    },
  });
  expect({ files, around }).toEqual({ files: [], around: ['around', 'back'] });
  expect(lost).toHaveBeenCalledWith('lost', expect.objectContaining({ code: 'PROTOCOL' }));
});

it('gets no file published whose bytes are not those of the digest that is kept', async () => {
  const kept = { algorithm: 'xxh64', value: Buffer.alloc(8, 1) } as const;
  const lie = (range: FileRange) => ({ ...zeros(range), kept }) as Content['parts'][number];
  const large = (range: FileRange) =>
    ({ ...zeros(range, 3 * MAX_READ_BYTES), kept }) as Content['parts'][number];
  const { told, files } = await fetchFrom({
    listed: { 'DC1/small': 5, 'DC1/large': 3 * MAX_READ_BYTES },
    answer: (range) => (range.path.endsWith('large') ? large(range) : lie(range)),
  });
  expect({ told, files }).toEqual({
    told: ['DIGEST_MISMATCH DC1/large', 'DIGEST_MISMATCH DC1/small'],
    files: [],
  });
});

it('gets no memory by files that are larger than it has listed', async () => {
  let asked = 0;
  let most = 0;
  const listed = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`DC1/${n}`, 0]));
  const { told, files, tally } = await fetchFrom({
    listed,
    answer: (range) => {
      asked += range.length;
      most = Math.max(most, range.length);
      return zeros(range, 300_000);
    },
  });
  expect({ told, files: files.length }).toEqual({ told: [], files: 250 });
  expect(most).toBeLessThanOrEqual(MAX_READ_BYTES);
  expect(tally.moved).toBe(250 * 300_000);
  expect(asked).toBeGreaterThan(0);
});
