import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { putStream } from '../../src/store/put-stream.ts';
import type { Store } from '../../src/store/store.ts';

const CONTENT = randomBytes(100_000);
const FILE: FileEntry = { path: parseRelPath('edge1/DC1/a'), size: CONTENT.length, mtimeUs: 1 };

/** The content in pieces of `length` bytes, all in one buffer; ends with `error` at `until`. */
async function* pieces(length: number, until = CONTENT.length, error?: Error): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < until; at += length) {
    const part = CONTENT.subarray(at, Math.min(at + length, until));
    buffer.set(part);
    yield buffer.subarray(0, part.length);
    buffer.fill(0);
  }
  if (error !== undefined) throw error;
}

async function keptIn(store: Store): Promise<Buffer | undefined> {
  const found = await store.read(FILE.path);
  return found && (await buffer(found.bytes));
}

async function offsetIn(store: Store): Promise<number> {
  const upload = await store.begin(FILE, { algorithm: 'xxh64', resume: true });
  await upload.suspend();
  return upload.offset;
}

describe('a stream into a store', () => {
  const opened = (): Store => {
    const store = createMemoryStore();
    onTestFinished(() => store[Symbol.asyncDispose]());
    return store;
  };
  const counting = () => {
    const told = { bytes: 0 };
    return { told, onWritten: (bytes: number) => void (told.bytes += bytes) };
  };

  it('is kept whole, and tells the digest', async () => {
    const store = opened();
    const { told, onWritten } = counting();
    const digest = await putStream(store, FILE, pieces(7000), { algorithm: 'sha256', onWritten });
    expect(digest).toEqual(digestOf('sha256', CONTENT));
    expect(await keptIn(store)).toEqual(CONTENT);
    expect(told.bytes).toBe(CONTENT.length);
  });

  it('goes on in the middle of a piece after an error that is retryable', async () => {
    const store = opened();
    const lost = new IsyncError('LINK_LOST', 'lost');
    const first = putStream(store, FILE, pieces(7000, 30_000, lost), { algorithm: 'xxh64' });
    await expect(first).rejects.toBe(lost);
    expect(await offsetIn(store)).toBe(30_000);
    const { told, onWritten } = counting();
    const digest = await putStream(store, FILE, pieces(16_000), { algorithm: 'xxh64', onWritten });
    expect(digest).toEqual(digestOf('xxh64', CONTENT));
    expect(await keptIn(store)).toEqual(CONTENT);
    expect(told.bytes).toBe(CONTENT.length - 30_000);
  });

  it('throws away what it has after any other error, unless the caller says otherwise', async () => {
    const store = opened();
    const fault = new Error('fault');
    const broken = () => pieces(7000, 30_000, fault);
    await expect(putStream(store, FILE, broken(), { algorithm: 'xxh64', mayGoOn: () => true })).rejects.toBe(
      fault,
    );
    expect(await offsetIn(store)).toBe(30_000);
    await expect(putStream(store, FILE, broken(), { algorithm: 'xxh64' })).rejects.toBe(fault);
    expect(await offsetIn(store)).toBe(0);
  });

  it.each([
    ['more', CONTENT.length - 1],
    ['fewer', CONTENT.length + 1],
  ])('of %s bytes than announced is another version of the file', async (_, size) => {
    const store = opened();
    const put = putStream(store, { ...FILE, size }, pieces(7000), { algorithm: 'xxh64' });
    await expect(put).rejects.toMatchObject({
      code: 'FILE_CHANGED',
    });
    expect(await store.stat(FILE.path)).toBeUndefined();
  });

  it('ends with the reason of its signal, and lets go of the source', async () => {
    const store = opened();
    const aborts = new AbortController();
    const stopped = new IsyncError('INTERRUPTED', 'stopped');
    let ended = false;
    const bytes = async function* () {
      try {
        yield CONTENT.subarray(0, 10);
        aborts.abort(stopped);
        yield CONTENT.subarray(10, 20);
      } finally {
        ended = true;
      }
    };
    const put = putStream(store, FILE, bytes(), { algorithm: 'xxh64', signal: aborts.signal });
    await expect(put).rejects.toBe(stopped);
    expect(ended).toBe(true);
  });
});
