import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openTokenFile } from '../../src/access/token-file.ts';
import { addToken } from '../../src/access/tokens.ts';
import { openDestination } from '../../src/fetch/destination.ts';
import { FetchTally } from '../../src/fetch/fetch-tally.ts';
import { fetchFiles } from '../../src/fetch/fetch.ts';
import { openStoreReader } from '../../src/fetch/store-reader.ts';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { openReceiverStore } from '../../src/sender/ws/receiver-store.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { ReadOptions, Store } from '../../src/store/store.ts';
import { QUICK, receive, usingForTest } from '../sender/receiver-fixture.ts';
import { RecordingLog } from '../recording-log.ts';

const FILES = { 'DC1/a': randomBytes(10), 'DC1/none': Buffer.alloc(0), 'DC2/large': randomBytes(2_500_000) };
const MTIME_US = 1_700_000_000_123_456;

/** A receiver in front of a store like a bucket, which keeps a digest with each file: `digest` of its bytes. */
async function stage(digest = (bytes: Buffer): Buffer => digestOf('sha256', bytes)) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'isync-fetch-')));
  onTestFinished(async () => await rm(base, { recursive: true }));
  const store = usingForTest(createMemoryStore(undefined, { like: 'bucket' }));
  for (const [name, bytes] of Object.entries(FILES)) {
    const entry = { path: parseRelPath(`edge1/${name}`), size: bytes.length, mtimeUs: MTIME_US };
    await store.put(entry, bytes, { algorithm: 'xxh64', value: digestOf('xxh64', bytes) });
  }
  const wanted = vi.fn<(path: string, length: number | undefined) => void>();
  const read = keepingDigests(store.read.bind(store), digest, wanted);
  vi.spyOn(store, 'read').mockImplementation(read);
  const path = join(base, 'tokens.json');
  const token = await addToken(path, 'edge1', 'read');
  const tokens = usingForTest(openTokenFile(path, new RecordingLog()));
  const { url } = usingForTest(await receive(store, { tokens }));
  const into = join(base, 'back');
  mkdirSync(into);
  const run = async (overwrite = false) => {
    wanted.mockClear();
    const kept = await openReceiverStore({ url, token, device: 'edge1', digest: 'xxh64', retry: QUICK });
    await using reader = await openStoreReader(kept, parseRelPath('edge1'), { filesAtOnce: 100 });
    await using destination = await openDestination(into, { overwrite, source: undefined });
    const tally = new FetchTally();
    const failure = await fetchFiles({
      reader,
      into: destination.store,
      isWanted: () => true,
      overwrite,
      retry: { giveUpAfterMs: 0 },
      signal: new AbortController().signal,
      tally,
    });
    const told = tally.problems.map(({ code, path }) => `${code} ${path}`).toSorted();
    return { failure, told, files: tally.files, there: tally.there };
  };
  return { run, wanted, at: (name: string) => join(into, name) };
}

function keepingDigests(
  read: Store['read'],
  digest: (bytes: Buffer) => Buffer,
  wanted: (path: string, length: number | undefined) => void,
): Store['read'] {
  return async (path, options: ReadOptions = {}) => {
    wanted(path, options.length);
    const found = await read(path, options);
    const bytes = Object.entries(FILES).find(([name]) => path.endsWith(name))?.[1] ?? Buffer.alloc(0);
    return found && { ...found, digest: { algorithm: 'sha256', value: digest(bytes) } };
  };
}

describe('from a receiver in front of a bucket', () => {
  it('files come whole, with their own mtimes, and none of their bytes again', async () => {
    const { run, wanted, at } = await stage();
    expect(await run()).toEqual({ failure: undefined, told: [], files: 3, there: 0 });
    for (const [name, bytes] of Object.entries(FILES)) {
      expect(readFileSync(at(name)).equals(bytes)).toBe(true);
      expect(statSync(at(name)).mtimeMs).toBeCloseTo(MTIME_US / 1000, 2);
    }
    // Two small files once each, a large one in its ranges.
    expect(wanted).toHaveBeenCalledTimes(2 + 3);
    expect(await run()).toEqual({ failure: undefined, told: [], files: 0, there: 3 });
    expect(wanted.mock.calls.map(([, length]) => length)).toEqual([0, 0, 0]);
  });

  it('a file that is here with the same bytes counts by the digest that is kept, another one stays', async () => {
    const { run, wanted, at } = await stage();
    for (const name of ['DC1', 'DC2']) mkdirSync(at(name));
    writeFileSync(at('DC2/large'), FILES['DC2/large']);
    writeFileSync(at('DC1/a'), 'mine is it');
    expect(await run()).toEqual({ failure: undefined, told: ['NOT_OVERWRITTEN DC1/a'], files: 1, there: 1 });
    expect(Math.max(...wanted.mock.calls.map(([, length = Infinity]) => length))).toBe(0);
    expect(await run(true)).toMatchObject({ told: [], files: 2, there: 1 });
    expect(readFileSync(at('DC1/a')).equals(FILES['DC1/a'])).toBe(true);
  });

  it('a file that is not what the digest with it says is not published', async () => {
    const { run } = await stage(() => Buffer.alloc(32));
    expect(await run()).toMatchObject({
      failure: undefined,
      told: ['DIGEST_MISMATCH DC1/a', 'DIGEST_MISMATCH DC1/none', 'DIGEST_MISMATCH DC2/large'],
      files: 0,
    });
  });
});
