import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSelection } from '../../src/fetch/selection.ts';
import { digestOf } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath, type RelPath } from '../../src/model/rel-path.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import type { ReadOptions } from '../../src/store/store.ts';
import { joined } from '../suites/store/files.ts';
import { changed, stage, write, WRITTEN_S } from './fixture.ts';

/** Held in memory as a whole, in pieces, and resumed. */
const SIZES = { none: 0, small: 1000, middle: 600_000, large: 6_000_000 };

function sized(): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(SIZES).map(([name, size]) => [`edge1/DC1/${name}`, randomBytes(size)]),
  );
}

/** A policy that tries again soon. */
const AGAIN = { giveUpAfterMs: 20_000, firstDelayMs: 1, longestDelayMs: 1 };

describe('what is fetched', () => {
  it('is whole, has its mtime, and leaves nothing else behind', async () => {
    const files = sized();
    const { back, run, source, at } = stage(files);
    for (const path of Object.keys(files)) utimesSync(join(source, path), WRITTEN_S, WRITTEN_S);
    expect(await run()).toMatchObject({ failure: undefined, told: [], files: 4, there: 0 });
    for (const [path, content] of Object.entries(files)) {
      expect(readFileSync(at(path)).equals(content)).toBe(true);
      expect(statSync(at(path)).mtimeMs).toBeCloseTo(WRITTEN_S * 1000, 2);
    }
    expect(readdirSync(back)).toEqual(['edge1']);
  });

  it('is what lies below the place, a single file too', async () => {
    const { back, run } = stage({ 'edge1/DC1/a': 'a', 'edge1/DC2/b': 'b', 'edge2/DC1/c': 'c' });
    expect(await run({ place: 'edge1' })).toMatchObject({ files: 2 });
    expect(readdirSync(back).toSorted()).toEqual(['DC1', 'DC2']);
    expect(await run({ place: 'edge2/DC1/c' })).toMatchObject({ files: 1 });
    expect(readdirSync(back).toSorted()).toEqual(['DC1', 'DC2', 'c']);
    expect(await run({ place: 'edge3' })).toMatchObject({ files: 0, tally: { wanted: 0 } });
  });

  it('is what globs name', async () => {
    const { run } = stage({ 'e/DC1/a.log': '1', 'e/DC1/sub/b.log': '2', 'e/DC2/c.bin': '3' });
    const isWanted = createSelection(['DC1/**/*.log']);
    expect(await run({ place: 'e', isWanted })).toMatchObject({ files: 2, tally: { wanted: 2 } });
    expect(await run({ place: 'e', isWanted: createSelection(['DC2']) })).toMatchObject({ files: 1 });
  });

  it('comes again only where it is missing or another one', async () => {
    const { run, keep, at, source } = stage({ 'e/a': 'one', 'e/b': 'two', 'e/c': 'three' });
    for (const name of ['e/a', 'e/b', 'e/c']) utimesSync(join(source, name), WRITTEN_S, WRITTEN_S);
    await run();
    expect(await run()).toMatchObject({ files: 0, there: 3, told: [] });
    rmSync(at('e/a'));
    keep('e/b', 'newer');
    expect(await run()).toMatchObject({ files: 1, there: 1, told: ['NOT_OVERWRITTEN e/b'] });
    expect(readFileSync(at('e/b'), 'utf8')).toBe('two');
    expect(await run({ overwrite: true })).toMatchObject({ files: 1, there: 2, told: [] });
    expect(readFileSync(at('e/b'), 'utf8')).toBe('newer');
  });

  it('counts as here by its bytes where a file system has rounded its mtime', async () => {
    const { run, at, source } = stage({ 'e/a': 'one' });
    utimesSync(join(source, 'e/a'), WRITTEN_S, WRITTEN_S);
    write(at('e/a'), 'one');
    expect(await run()).toMatchObject({ files: 0, there: 1, told: [] });
    write(at('e/a'), 'two');
    expect(await run()).toMatchObject({ files: 0, there: 0, told: ['NOT_OVERWRITTEN e/a'] });
    expect(readFileSync(at('e/a'), 'utf8')).toBe('two');
  });

  it('never replaces what comes to be there meanwhile, and does when told', async () => {
    const { run, at } = stage({ 'e/a': 'kept', 'e/large': randomBytes(SIZES.middle) });
    const meanwhile = (overwrite: boolean) =>
      run({
        overwrite,
        change: (reader) =>
          changed(reader, {
            read: async (path, options) => {
              const found = await reader.read(path, options);
              write(at(path), 'of somebody else');
              return found;
            },
          }),
      });
    expect(await meanwhile(false)).toMatchObject({
      files: 0,
      told: ['NOT_OVERWRITTEN e/a', 'NOT_OVERWRITTEN e/large'],
    });
    expect(readFileSync(at('e/a'), 'utf8')).toBe('of somebody else');
    expect(await meanwhile(true)).toMatchObject({ files: 2, told: [] });
    expect(readFileSync(at('e/a'), 'utf8')).toBe('kept');
  });
});

describe('a fetch that was interrupted', () => {
  it('goes on with a large file where it was', async () => {
    const content = randomBytes(SIZES.large);
    const { run, at, back } = stage({ 'e/large': content });
    const controller = new AbortController();
    const starts: (number | undefined)[] = [];
    const first = await run({
      signal: controller.signal,
      change: (reader) =>
        changed(reader, {
          read: async (path, options) => {
            const found = await reader.read(path, options);
            return found && { ...found, bytes: abortingAfter(found.bytes, 2_000_000, controller) };
          },
        }),
    });
    expect(first).toMatchObject({ failure: undefined, told: [], files: 0 });
    expect(existsSync(at('e/large'))).toBe(false);
    expect(readdirSync(back)).toContain('.isync');
    const second = await run({
      change: (reader) =>
        changed(reader, {
          read: (path, options) => {
            starts.push(options?.start);
            return reader.read(path, options);
          },
        }),
    });
    expect(second).toMatchObject({ files: 1, told: [] });
    expect(starts[0]).toBeUndefined();
    expect(starts[1]).toBeGreaterThan(1_000_000);
    expect(second.tally.moved).toBeLessThan(SIZES.large - 1_000_000);
    expect(readFileSync(at('e/large')).equals(content)).toBe(true);
    expect(readdirSync(back)).toEqual(['e']);
  });

  it.each(['of another mtime', 'of the same size and mtime'])(
    'does not go on with another version of it, %s',
    async (which) => {
      const { run, at, keep, source } = stage({ 'e/large': randomBytes(SIZES.large) });
      const kept = join(source, 'e/large');
      utimesSync(kept, WRITTEN_S, WRITTEN_S);
      const controller = new AbortController();
      await run({
        signal: controller.signal,
        change: (reader) =>
          changed(reader, {
            read: async (path, options) => {
              const found = await reader.read(path, options);
              return found && { ...found, bytes: abortingAfter(found.bytes, 2_000_000, controller) };
            },
          }),
      });
      const other = randomBytes(SIZES.large);
      keep('e/large', other);
      if (which === 'of the same size and mtime') utimesSync(kept, WRITTEN_S, WRITTEN_S);
      expect(await run()).toMatchObject({ files: 1 });
      expect(readFileSync(at('e/large')).equals(other)).toBe(true);
    },
  );
});

describe('what is damaged', () => {
  const damaging =
    (flips: number) =>
    (reader: Parameters<typeof changed>[0]): ReturnType<typeof changed> => {
      let left = flips;
      return changed(reader, {
        read: async (path: RelPath, options?: ReadOptions) => {
          const found = await reader.read(path, { ...options, reuse: false });
          const whole = await reader.read(path);
          if (found === undefined || whole === undefined) return undefined;
          const value = digestOf('sha256', await joined(whole.bytes));
          const bytes = left-- > 0 ? flipped(found.bytes) : found.bytes;
          return { ...found, bytes, digest: { algorithm: 'sha256', value } };
        },
      });
    };

  it.each([SIZES.small, SIZES.middle])(
    'is never published, and comes whole at the next try: %i',
    async (size) => {
      const content = randomBytes(size);
      const { run, at, back } = stage({ 'e/f': content });
      expect(await run({ change: damaging(99), retry: AGAIN })).toMatchObject({
        told: ['DIGEST_MISMATCH e/f'],
        files: 0,
        failure: undefined,
      });
      expect(readdirSync(back)).toEqual([]);
      expect(await run({ change: damaging(1), retry: AGAIN })).toMatchObject({ told: [], files: 1 });
      expect(readFileSync(at('e/f')).equals(content)).toBe(true);
    },
  );

  it('does not keep the others', async () => {
    const { run, source } = stage({ 'e/a': 'a', 'e/b': 'b', 'e/c': 'c' });
    const outcome = await run({
      change: (reader) =>
        changed(reader, {
          read: async (path, options) => {
            if (path === 'e/b') rmSync(join(source, 'e/b'), { force: true });
            return reader.read(path, options);
          },
        }),
    });
    expect(outcome).toMatchObject({ files: 2, told: ['FILE_VANISHED e/b'], failure: undefined });
  });

  it('is read again when it was replaced meanwhile', async () => {
    const { run, source, at } = stage({ 'e/a': 'older', 'e/b': randomBytes(SIZES.middle) });
    let isReplaced = false;
    const outcome = await run({
      retry: AGAIN,
      change: (reader) =>
        changed(reader, {
          read: async (path, options) => {
            const found = await reader.read(path, options);
            if (path === 'e/a' && !isReplaced) {
              isReplaced = true;
              write(join(source, 'e/new'), 'of now');
              renameSync(join(source, 'e/new'), join(source, 'e/a'));
            }
            return found;
          },
        }),
    });
    expect(outcome).toMatchObject({ told: [] });
    expect(readFileSync(at('e/a'), 'utf8')).toBe('of now');
  });
});

describe('hostile names', () => {
  it('stay inside, whatever symlinks are in the way', async () => {
    const { run, base, at, back } = stage({
      'e/link/a': 'x',
      'e/file': 'x',
      'e/taken/b': 'x',
      'e/folder': 'x',
    });
    mkdirSync(join(base, 'outside'));
    mkdirSync(at('e'));
    symlinkSync(join(base, 'outside'), at('e/link'));
    symlinkSync(join(base, 'outside/file'), at('e/file'));
    write(at('e/taken'), '');
    mkdirSync(at('e/folder'));
    expect(await run()).toMatchObject({
      files: 0,
      failure: undefined,
      told: [
        'NOT_OVERWRITTEN e/file',
        'PATH_CONFLICT e/folder',
        'PATH_CONFLICT e/link/a',
        'PATH_CONFLICT e/taken/b',
      ],
    });
    expect(await run({ overwrite: true })).toMatchObject({ files: 1, failure: undefined });
    expect(lstatSync(at('e/file')).isFile()).toBe(true);
    expect(readdirSync(join(base, 'outside'))).toEqual([]);
    expect(readdirSync(back)).toEqual(['e']);
  });

  it('never become what isync itself goes by', async () => {
    const { run, back } = stage({
      'e/.isync/staging/x': 'x',
      'e/.ISYNC/store-id': 'x',
      'e/DC1/finished.watch': '{}',
      'e/DC1/finished.parse': '',
    });
    expect(await run({ place: 'e' })).toMatchObject({
      files: 1,
      failure: undefined,
      told: ['BAD_PATH .ISYNC/store-id', 'BAD_PATH .isync/staging/x', 'BAD_PATH DC1/finished.watch'],
    });
    expect(readdirSync(back)).toEqual(['DC1']);
  });

  it('that symlinks in the store lead elsewhere to are not there', async () => {
    const { run, base, source, back } = stage({ 'e/DC1/a': 'a' });
    write(join(base, 'secret/passwd'), 'root');
    symlinkSync(join(base, 'secret'), join(source, 'e/DC2'));
    symlinkSync(join(base, 'secret/passwd'), join(source, 'e/DC1/b'));
    expect(await run()).toMatchObject({ files: 1, told: [] });
    expect(readdirSync(join(back, 'e/DC1'))).toEqual(['a']);
  });
});

describe('a fetch ends before all is done', () => {
  it('when nobody answers any more, and keeps what has come', async () => {
    const names = Array.from({ length: 200 }, (_, n) => `e/${n}`);
    const { run } = stage(Object.fromEntries(names.map((name) => [name, name])));
    let left = 100;
    const outcome = await run({
      change: (reader) =>
        changed(reader, {
          read: async (path, options) => {
            if (left-- <= 0) throw new IsyncError('UNREACHABLE', 'nobody answers');
            return await reader.read(path, options);
          },
        }),
    });
    expect(outcome.failure).toMatchObject({ code: 'UNREACHABLE' });
    expect(outcome.told).toEqual([]);
    expect(await run()).toMatchObject({ files: 200 - outcome.files, there: outcome.files });
  });

  it('when the listing breaks', async () => {
    const { run } = stage({ 'e/a': 'a', 'e/b': 'b' });
    const outcome = await run({
      change: (reader) =>
        changed(reader, {
          async *list(options) {
            for await (const entry of reader.list(options)) {
              yield entry;
              throw new IsyncError('UNREACHABLE', 'nobody answers');
            }
          },
        }),
    });
    expect(outcome).toMatchObject({ failure: { code: 'UNREACHABLE' }, told: [] });
  });

  it('when there is no room where it goes', async () => {
    const { run, back } = stage({ 'e/a': 'a', 'e/b': 'b' });
    await using into = await openFileStore(back, { minFreeBytes: Number.MAX_SAFE_INTEGER });
    expect(await run({ into })).toMatchObject({
      failure: { code: 'STORE_FULL', message: 'there is no room left where the files go' },
      told: [],
      files: 0,
    });
  });
});

it('a destination within the store is refused, and one without a folder above', async () => {
  const { openDestination } = await import('../../src/fetch/destination.ts');
  const { source, base } = stage({ 'e/a': 'a' });
  const options = { overwrite: false, source };
  for (const path of [source, join(source, 'e'), join(source, 'new')])
    await expect(openDestination(path, options)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
  expect(existsSync(join(source, 'new'))).toBe(false);
  await expect(openDestination(join(base, 'none/at/all'), options)).rejects.toMatchObject({
    code: 'STORE_MISSING',
  });
  await expect(openDestination(join(source, 'e/a'), options)).rejects.toMatchObject({
    code: 'PATH_CONFLICT',
  });
  await using made = await openDestination(join(base, 'made'), options);
  expect(made.store.root).toBe(join(base, 'made'));
  expect(await made.store.stat(parseRelPath('x'))).toBeUndefined();
});

async function* abortingAfter(
  bytes: AsyncIterable<Uint8Array>,
  count: number,
  controller: AbortController,
): AsyncGenerator<Uint8Array> {
  let given = 0;
  for await (const piece of bytes) {
    if (given >= count) controller.abort(new IsyncError('INTERRUPTED', 'stopped'));
    yield piece;
    given += piece.length;
  }
}

async function* flipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    const bad = Uint8Array.from(piece);
    bad[0] = (bad[0] ?? 0) ^ 1;
    yield bad;
  }
}
