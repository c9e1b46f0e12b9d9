import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { differences } from '../../src/events/pull/resync.ts';
import type { Difference } from '../../src/events/compare/difference-message.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { toMicroseconds } from '../../src/model/file-entry.ts';
import { RecordingLog } from '../recording-log.ts';
import { object } from './state-objects.ts';
import { keyMapOf } from './key-map-of.ts';

let base: string;
let state: PullState;
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'isync-resync-'));
  state = await openPullState(join(base, 'state.db'), { log: new RecordingLog() });
});
afterEach(async () => {
  await state[Symbol.asyncDispose]();
  rmSync(base, { recursive: true });
});

describe('the differences to a bucket', () => {
  it('finds nothing where each key is as it was written', async () => {
    await write('a/x', 'in/x');
    await write('a/deep/y', 'in/deep/y');
    expect(await found({ 'a/': 'in' }, ['a/deep/y', 'a/x'])).toEqual([]);
  });

  it('finds what is missing here, what was changed here, and what the bucket has no more', async () => {
    for (const name of ['changed', 'gone', 'missing']) await write(`a/${name}`, `in/${name}`);
    writeFileSync(join(base, 'in/changed'), 'by somebody');
    rmSync(join(base, 'in/missing'));
    expect(await found({ 'a/': 'in' }, ['a/changed', 'a/missing', 'a/new'])).toEqual([
      'created a/changed',
      'removed a/gone',
      'created a/missing',
      'created a/new',
    ]);
  });

  it('finds a key that belongs to another folder since the config has changed', async () => {
    await write('a/x', 'in/x');
    await write('a/sub/y', 'in/sub/y');
    expect(await found({ 'a/': 'other' }, ['a/sub/y', 'a/x'])).toEqual(['created a/sub/y', 'created a/x']);
    expect(await found({ 'a/': 'in', 'a/sub/': 'b' }, ['a/sub/y', 'a/x'])).toEqual(['created a/sub/y']);
  });

  it('does not look through a symlink that has taken the place of a folder', async () => {
    await write('a/sub/y', 'in/sub/y');
    rmSync(join(base, 'elsewhere'), { recursive: true, force: true });
    await write('z/y', 'elsewhere/y');
    const { mtimeUs } = state.get('b', 'z/y')!;
    await state.set({ ...state.get('b', 'a/sub/y')!, mtimeUs });
    rmSync(join(base, 'in/sub'), { recursive: true });
    symlinkSync(join(base, 'elsewhere'), join(base, 'in/sub'));
    expect(await found({ 'a/': 'in' }, ['a/sub/y'])).toEqual(['created a/sub/y']);
  });
});

/** Writes a file, known as that of `key`. */
async function write(key: string, path: string): Promise<void> {
  const file = join(base, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'x');
  const folder = join(base, path.split('/')[0]!);
  const { mtimeMs } = statSync(file);
  const below = path.slice(path.indexOf('/') + 1);
  await state.set(object(key, { folder, path: below, mtimeUs: toMicroseconds(mtimeMs) }));
}

/** What differs from a bucket with just these keys, each as it was when it was written. */
async function found(
  sync: Readonly<Record<string, string>>,
  listed: readonly string[],
): Promise<readonly string[]> {
  const all: Difference[] = [];
  const keys = keyMapOf(
    Object.entries(sync).map(([prefix, folder]) => [prefix, join(base, folder)] as const),
  );
  for await (const each of differences({
    buckets: ['b'],
    keys,
    state,
    removes: true,
    rootOf: ({ folder }) => folder,
    list: async function* () {
      for (const key of listed) yield { key, size: 1, etag: 'e' };
    },
  }))
    all.push(each);
  return all.map(({ kind, key }) => `${kind} ${key}`);
}
