/** What happens between two system calls of markFile: injected right before or after one of them. */
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import type * as nodeFs from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isMarked } from '../../src/scanner/is-marked.ts';
import { lookAt } from '../../src/scanner/look-at.ts';
import { markFile } from '../../src/scanner/mark.ts';
import { LONG_AGO, makeRoot, rel, seen, write, makeFifo } from './support.ts';

type Call = 'openSync' | 'fchmodSync' | 'lstatSync';

const faults = vi.hoisted(() => ({
  /** Called before the call of that name; `false` makes the call do nothing. */
  before: undefined as ((call: string) => unknown) | undefined,
  after: undefined as ((call: string) => unknown) | undefined,
  wrap<A extends unknown[], R>(call: string, real: (...given: A) => R): (...given: A) => R | undefined {
    return (...given) => {
      const result = faults.before?.(call) === false ? undefined : real(...given);
      faults.after?.(call);
      return result;
    };
  },
}));

vi.mock('node:fs', async (importActual) => {
  const fs = await importActual<typeof nodeFs>();
  return {
    ...fs,
    openSync: faults.wrap('openSync', fs.openSync),
    fchmodSync: faults.wrap('fchmodSync', fs.fchmodSync),
    lstatSync: faults.wrap('lstatSync', fs.lstatSync as (...given: unknown[]) => unknown),
  };
});

afterEach(clear);

function clear(): void {
  faults.before = undefined;
  faults.after = undefined;
}

/** Does something once, at the n-th call of that name; the calls that it makes itself do not count. */
function at(moment: 'before' | 'after', call: Call, nth: number, action: () => unknown): void {
  let seen = 0;
  faults[moment] = (name) => {
    if (name !== call || ++seen !== nth) return undefined;
    const hook = faults[moment];
    faults[moment] = undefined;
    try {
      return action();
    } finally {
      faults[moment] = hook;
    }
  };
}

const PATH = rel('DC1/a');

function makeOld(mode = 0o644): { root: string; file: string } {
  const root = makeRoot();
  write(root, PATH, 'content');
  const file = `${root}/${PATH}`;
  chmodSync(file, mode);
  utimesSync(file, LONG_AGO, LONG_AGO);
  return { root, file };
}

function mode(file: string): number {
  return lstatSync(file).mode & 0o7777;
}

function failing(code: string): () => never {
  return () => {
    throw Object.assign(new Error(`${code}: injected`), { code });
  };
}

describe('a write', () => {
  test.each([0o644, 0o664])('right before the mark takes the mark off (mode %o)', async (before) => {
    const { root, file } = makeOld(before);
    const version = seen(root, PATH);
    at('before', 'fchmodSync', 1, () => appendFileSync(file, 'x'));
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    clear();
    expect(readFileSync(file, 'utf8')).toBe('contentx');
    expect(mode(file)).toBe(0o644);
    expect(isMarked(lstatSync(file))).toBe(false);
  });

  test('right after the mark takes the mark off', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('after', 'fchmodSync', 1, () => appendFileSync(file, 'x'));
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    clear();
    expect(mode(file)).toBe(0o644);
  });

  test('right after the look leaves a mark that is not believed', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('after', 'lstatSync', 2, () => appendFileSync(file, 'x'));
    expect(await markFile(root, PATH, version)).toMatchObject({ outcome: 'marked' });
    clear();
    expect(isMarked(lstatSync(file))).toBe(false);
  });
});

test('a mode that never rests keeps no look for ever', () => {
  const { root, file } = makeOld(0o664);
  let looks = 0;
  faults.after = (call) => {
    if (call === 'lstatSync' && ++looks < 1000) chmodSync(file, looks % 2 === 0 ? 0o664 : 0o674);
  };
  const found = lookAt(`${root}/${PATH}`);
  clear();
  expect(found?.isFile()).toBe(true);
  expect(looks).toBeLessThanOrEqual(10);
});

describe('another file under the path', () => {
  test.each<[string, (file: string) => void]>([
    ['a symlink', (file) => symlinkSync('moved', file)],
    ['a FIFO', (file) => makeFifo(file)],
    ['a file', (file) => appendFileSync(file, 'other')],
  ])('(%s) before it is opened is not touched', async (_, make) => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('before', 'openSync', 1, () => {
      renameSync(file, `${root}/DC1/moved`);
      make(file);
    });
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    clear();
    expect(statSync(file).mode & 0o020).toBe(0);
    expect(mode(`${root}/DC1/moved`)).toBe(0o644);
  });

  // To open a FIFO for reading lets a writer go on that waits for its reader.
  test('that was there before the first look is not even opened', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    rmSync(file);
    makeFifo(file);
    const opened = vi.fn<() => void>();
    at('before', 'openSync', 1, opened);
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    expect(opened).not.toHaveBeenCalled();
  });

  test('before the mark is not touched, and the file that was seen keeps no mark elsewhere', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('before', 'fchmodSync', 1, () => {
      renameSync(file, `${root}/DC1/moved`);
      write(root, PATH, 'other');
    });
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    clear();
    expect(mode(file)).toBe(0o644);
    expect(mode(`${root}/DC1/moved`)).toBe(0o644);
  });
});

describe('a file that goes away', () => {
  test('before it is opened has vanished', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('before', 'openSync', 1, () => rmSync(file));
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'vanished' });
  });

  test('before the mark has vanished, and keeps no mark under its new name', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('before', 'fchmodSync', 1, () => renameSync(file, `${root}/DC1/moved`));
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'vanished' });
    clear();
    expect(mode(`${root}/DC1/moved`)).toBe(0o644);
  });
});

describe('a file system', () => {
  test('that says yes to chmod but keeps no mark is found out', async () => {
    const { root } = makeOld();
    const version = seen(root, PATH);
    at('before', 'fchmodSync', 1, () => false);
    await expect(markFile(root, PATH, version)).rejects.toMatchObject({
      code: 'MARK_NOT_KEPT',
      path: PATH,
      hint: expect.stringContaining('file system'),
    });
  });

  test.each([
    ['EPERM', 'MARK_NOT_KEPT'],
    ['ENOTSUP', 'MARK_NOT_KEPT'],
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'READ_ONLY'],
    ['EIO', 'READ_ONLY'],
  ])('that answers %s to chmod is %s', async (errno, code) => {
    const { root } = makeOld();
    const version = seen(root, PATH);
    at('before', 'fchmodSync', 1, failing(errno));
    await expect(markFile(root, PATH, version)).rejects.toMatchObject({
      code,
      path: PATH,
      hint: expect.stringMatching(/./),
    });
  });

  test('that fails the second look leaves no mark that nobody checked', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    at('before', 'lstatSync', 2, failing('EIO'));
    await expect(markFile(root, PATH, version)).rejects.toMatchObject({ code: 'READ_ONLY' });
    clear();
    expect(mode(file)).toBe(0o644);
  });

  test('that won’t have the mark taken off again is an error that tells what to do', async () => {
    const { root, file } = makeOld();
    const version = seen(root, PATH);
    let calls = 0;
    faults.before = (call) => {
      if (call !== 'fchmodSync') return;
      if (++calls === 1) appendFileSync(file, 'x');
      else failing('EIO')();
    };
    await expect(markFile(root, PATH, version)).rejects.toMatchObject({
      code: 'READ_ONLY',
      message: expect.stringContaining('could not be taken off'),
      hint: expect.stringContaining('chmod g-w'),
    });
  });

  test('without a free descriptor says that it may be tried again', async () => {
    const { root } = makeOld();
    at('before', 'openSync', 1, failing('EMFILE'));
    await expect(markFile(root, PATH, seen(root, PATH))).rejects.toMatchObject({
      code: 'READ_ONLY',
      retryable: true,
    });
  });
});
