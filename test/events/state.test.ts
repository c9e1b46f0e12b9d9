import { DatabaseSync } from 'node:sqlite';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { behindPrefix } from '../../src/events/state/key-range.ts';
import { openPullState } from '../../src/events/state/open-pull-state.ts';
import type { PullState } from '../../src/events/state/pull-state.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';
import { RecordingLog } from '../recording-log.ts';
import { mountTmpfs } from '../store/tmpfs.ts';
import { faultOf, keysOf, object } from './state-objects.ts';

const log = new RecordingLog();

let file: string;
beforeEach(() => {
  file = join(temporaryFolder(), 'state', 'state.db');
});

const open = (): Promise<PullState> => openPullState(file, { log });

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe('what a pull remembers', () => {
  it('is there again after it was closed, every field of it', async () => {
    const full = object('a/ä 𝄞', { versionId: 'v', sequencer: '00AB', timeMs: 5, size: 2 ** 43 });
    {
      await using state = await open();
      await Promise.all([state.set(full), state.set(object('d/')), state.set(object('gone'))]);
      await state.remove('b', 'gone');
      await state.setPartial({ bucket: 'b', key: 'k', etag: 'p' });
      await state.setStoreId('/srv', 'id');
      await state.setOwed(['/srv/x']);
    }
    await using state = await open();
    expect(state.get('b', 'a/ä 𝄞')).toEqual(full);
    expect(state.get('b', 'd/')).toEqual(object('d/'));
    expect(state.get('b', 'gone')).toBeUndefined();
    expect(state.get('other', 'd/')).toBeUndefined();
    expect(state.partial('b', 'k')).toEqual({ bucket: 'b', key: 'k', etag: 'p' });
    expect(state.storeId('/srv')).toBe('id');
    expect(state.storeId('/other')).toBeUndefined();
    expect(state.owed(9).map(({ path }) => path)).toEqual(['/srv/x']);
    await state.removePartial('b', 'k');
    expect(state.partial('b', 'k')).toBeUndefined();
  });

  it.each([
    ['its folder', 'link/state.db'],
    ['the folder above', 'link/yet/state.db'],
  ])('may lie behind a symlink to %s', async (_, place) => {
    const base = temporaryFolder();
    mkdirSync(join(base, 'real'));
    symlinkSync('real', join(base, 'link'));
    file = join(base, place);
    await using state = await open();
    await state.set(object('a'));
    expect(existsSync(join(base, place.replace('link', 'real')))).toBe(true);
  });

  it('is told where it would lie behind a symlink that leads nowhere, or in a file', async () => {
    const base = temporaryFolder();
    symlinkSync('nowhere', join(base, 'dangling'));
    writeFileSync(join(base, 'file'), '');
    for (const [name, why] of [
      ['dangling', 'leads to no folder'],
      ['file', 'is no folder'],
    ] as const) {
      file = join(base, name, 'state.db');
      expect(await faultOf(open())).toMatchObject({
        code: 'STORE_MISSING',
        path: join(base, name),
        message: expect.stringContaining(why),
      });
    }
  });

  it('is seen at once by reads, before it is durable', async () => {
    await using state = await open();
    const written = state.set(object('a'));
    expect(state.get('b', 'a')).toEqual(object('a'));
    await written;
  });

  it('is one object a key: the later one stands', async () => {
    await using state = await open();
    await state.set(object('a', { etag: '1' }));
    await state.set(object('a', { etag: '2', folder: '/other' }));
    expect(keysOf(state.list('b', ''))).toEqual(['a']);
    expect(state.get('b', 'a')).toMatchObject({ etag: '2', folder: '/other' });
    expect(state.useOf('/srv', parseRelPath('a')).owner).toBeUndefined();
  });

  it('is for its owner alone', async () => {
    await using state = await open();
    await state.set(object('a'));
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(join(file, '..')))
      expect([name, statSync(join(file, '..', name)).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('lists keys in the order of their bytes, and no other prefix', async () => {
    await using state = await open();
    const keys = ['a/', 'a/\uFFFD', 'a/𝄞', 'a/z', 'a/é', 'a0', 'a.', 'b'];
    await Promise.all(keys.map((key) => state.set(object(key, { path: 'x' }))));
    await state.set(object('a/other', { bucket: 'c' }));
    const below = keys.filter((key) => key.startsWith('a/')).toSorted(byBytes);
    expect(keysOf(state.list('b', 'a/'))).toEqual(below);
    expect(keysOf(state.list('b', ''))).toEqual(keys.toSorted(byBytes));
    expect(state.count('b', 'a/')).toBe(below.length);
    expect(state.count('b', '')).toBe(keys.length);
  });

  it('lists more than a page, while it changes', async () => {
    await using state = await open();
    const keys = Array.from({ length: 2500 }, (_, at) => `k/${String(at).padStart(5, '0')}`);
    await Promise.all(keys.map((key) => state.set(object(key))));
    const seen: string[] = [];
    for (const { key } of state.list('b', 'k/')) {
      seen.push(key);
      await state.remove('b', key);
    }
    expect(seen).toEqual(keys);
    expect(state.count('b', '')).toBe(0);
  });

  it('finds what is behind a prefix, whatever characters it has', () => {
    expect(['', 'a/', 'a\uD7FF', 'a\u{10FFFF}', '\u{10FFFF}'].map(behindPrefix)).toEqual([
      undefined,
      'a0',
      'a\uE000',
      'b',
      undefined,
    ]);
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    fc.assert(
      fc.property(text, text, (prefix, rest) => {
        const end = behindPrefix(prefix);
        expect(end === undefined || byBytes(prefix + rest, end) < 0).toBe(true);
      }),
    );
  });
});

describe('the use of a path', () => {
  it('tells its owner, what is below it and which file is above it', async () => {
    await using state = await open();
    await Promise.all([state.set(object('a/b/c')), state.set(object('f')), state.set(object('d/'))]);
    const use = (path: string) => {
      const { owner, below, above } = state.useOf('/srv', path === '' ? '' : parseRelPath(path));
      return [owner?.key, below?.key, above?.key];
    };
    expect(use('a/b/c')).toEqual(['a/b/c', undefined, undefined]);
    expect(use('a')).toEqual([undefined, 'a/b/c', undefined]);
    expect(use('a/b')).toEqual([undefined, 'a/b/c', undefined]);
    expect(use('f/x/y')).toEqual([undefined, undefined, 'f']);
    // A folder above is no obstacle.
    expect(use('d/x')).toEqual([undefined, undefined, undefined]);
    expect(use('d')).toEqual(['d/', undefined, undefined]);
    expect(use('')[1]).toBeDefined();
    expect(use('a/bb')).toEqual([undefined, undefined, undefined]);
  });

  it('is known also where mapped folders lie inside one another, or are the root', async () => {
    await using state = await open();
    await state.set(object('in/x', { folder: '/srv/in', path: 'x' }));
    await state.set(object('f', { folder: '/', path: 'etc' }));
    expect(state.useOf('/srv', parseRelPath('in/x')).owner?.key).toBe('in/x');
    expect(state.useOf('/srv', parseRelPath('in')).below?.key).toBe('in/x');
    expect(state.useOf('/srv', parseRelPath('in/x/y')).above?.key).toBe('in/x');
    expect(state.useOf('/etc/deep', parseRelPath('z')).above?.key).toBe('f');
    expect(state.useOf('/', '').below).toBeDefined();
    expect(state.useOf('/', parseRelPath('srv/in/x')).owner?.key).toBe('in/x');
  });

  it('of a file goes before that of a folder with the same path', async () => {
    await using state = await open();
    await state.set(object('x/'));
    await state.set(object('x', { bucket: 'c' }));
    expect(state.useOf('/srv', parseRelPath('x')).owner?.bucket).toBe('c');
  });

  it('is what looking at all objects would tell', async () => {
    await using state = await open();
    const paths = fc.array(fc.constantFrom('a', 'b', 'a.', 'é'), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(paths, { maxLength: 8 }), paths, async (all, asked) => {
        for (const key of keysOf(state.list('b', ''))) await state.remove('b', key);
        const keys = [...new Set(all.map((segments) => segments.join('/')))];
        await Promise.all(keys.map((key) => state.set(object(key))));
        const path = asked.join('/');
        const { owner, below, above } = state.useOf('/srv', parseRelPath(path));
        expect(owner?.key).toBe(keys.find((key) => key === path));
        expect(below !== undefined).toBe(keys.some((key) => key.startsWith(`${path}/`)));
        expect(above !== undefined).toBe(keys.some((key) => path.startsWith(`${key}/`)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('what is owed to a command', () => {
  it('is told oldest first, each path once, until it is removed', async () => {
    await using state = await open();
    await state.setOwed(['/a', '/b']);
    await state.setOwed(['/a']);
    expect(state.owed(9).map(({ path }) => path)).toEqual(['/b', '/a']);
    expect(state.owed(1).map(({ path }) => path)).toEqual(['/b']);
    await state.removeOwed(state.owed(1));
    expect(state.owed(9).map(({ path }) => path)).toEqual(['/a']);
  });

  it('stays owed when it changed again meanwhile, also where nothing else was left', async () => {
    await using state = await open();
    await state.setOwed(['/a']);
    const told = state.owed(9);
    await state.removeOwed(told);
    await state.setOwed(['/a']);
    await state.removeOwed(told);
    expect(state.owed(9).map(({ path }) => path)).toEqual(['/a']);
  });
});

describe('a commit', () => {
  it('is shared by what is written in one turn, and by what came during the last one', async () => {
    await using state = await open();
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    const commits = () => exec.mock.calls.filter(([sql]) => sql === 'COMMIT').length;
    await Promise.all(Array.from({ length: 500 }, (_, at) => state.set(object(`k${at}`))));
    expect(commits()).toBe(1);
    const writer = async (name: string) => {
      for (let at = 0; at < 50; at++) await state.set(object(`${name}/${at}`));
    };
    await Promise.all(Array.from({ length: 20 }, (_, at) => writer(`w${at}`)));
    expect(commits()).toBe(51);
    expect(state.count('b', '')).toBe(1500);
  });

  it('fails for the one write that is wrong, not for those beside it', async () => {
    await using state = await open();
    const wrong = state.set(object('wrong', { size: Number.NaN }));
    const right = state.set(object('right'));
    expect((await faultOf(wrong)).code).toBe('INTERNAL');
    await right;
    expect(keysOf(state.list('b', ''))).toEqual(['right']);
  });

  it('on a full disk is STORE_FULL, changes nothing, and succeeds once there is room', async () => {
    const disk = temporaryFolder();
    const unmount = mountTmpfs(disk);
    if (unmount === undefined) return;
    try {
      await using state = await openPullState(join(disk, 'state.db'), { log });
      await state.set(object('kept'));
      const long = 'x'.repeat(100_000);
      const fill = async (): Promise<IsyncError> => {
        for (let at = 0; at < 100; at++) {
          const written: unknown = await state
            .set(object(`k${at}`, { etag: long }))
            .catch((error: unknown) => error);
          if (written instanceof IsyncError) return written;
        }
        throw new Error('the disk never filled');
      };
      expect(await fill()).toMatchObject({ code: 'STORE_FULL', retryable: true });
      const before = keysOf(state.list('b', ''));
      expect((await faultOf(state.set(object('no', { etag: long.repeat(5) })))).code).toBe('STORE_FULL');
      expect(keysOf(state.list('b', ''))).toEqual(before);
      expect(before).toContain('kept');
    } finally {
      unmount();
    }
  });
});
