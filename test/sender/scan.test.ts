import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import type { Problem } from '../../src/model/problem.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { DEFAULT_IGNORE } from '../../src/scanner/ignore-rule.ts';
import { createLocalTarget } from '../../src/sender/local/local-target.ts';
import type { ScanOptions } from '../../src/sender/scan-options.ts';
import { scan, type ScanResult } from '../../src/sender/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { PATIENT, usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

const DEVICE = 'edge1';
const OLD_SECONDS = 1_000_000_000;

function setup() {
  const folder = usingForTest(new SourceFolder());
  const store = usingForTest(createMemoryStore());
  const target = usingForTest(createLocalTarget(store, { device: DEVICE, digest: 'xxh64', retry: PATIENT }));
  const at = (path: string): string => join(folder.root, path);
  return {
    root: folder.root,
    store,
    target,
    at,
    write: (path: string, content = path): void => {
      mkdirSync(join(at(path), '..'), { recursive: true });
      writeFileSync(at(path), content);
    },
    /** Size of what the target holds under `path`; undefined where nothing. */
    kept: async (path: string): Promise<number | undefined> =>
      (await store.stat(parseRelPath(`${DEVICE}/${path}`)))?.size,
  };
}

function optionsFor(root: string, target: Target, changes: Partial<ScanOptions> = {}) {
  const notes: string[] = [];
  const problems: Problem[] = [];
  const sealed: string[] = [];
  const options: ScanOptions = {
    root,
    target,
    once: true,
    tag: '',
    complete: 'settle',
    settleMs: 20,
    quietMs: 50,
    newest: 'birthtime',
    marks: 'trust',
    ignore: DEFAULT_IGNORE,
    signal: new AbortController().signal,
    observer: {
      transferred: () => undefined,
      problem: (problem) => void problems.push(problem),
      directory: (name, _state, isSealed) => void (isSealed && sealed.push(name)),
      note: (_level, message) => void notes.push(message),
    },
    ...changes,
  };
  return { options, notes, problems, sealed };
}

/** A running daemon; the test ends when it has. */
function follow(root: string, target: Target, changes: Partial<ScanOptions> = {}) {
  const stop = new AbortController();
  const told = optionsFor(root, target, { once: false, signal: stop.signal, ...changes });
  const ended = scan(told.options);
  const end = async (): Promise<ScanResult> => {
    stop.abort();
    return await ended;
  };
  onTestFinished(async () => void (await end()));
  return { ...told, end };
}

const isMarked = (path: string): boolean => (statSync(path).mode & 0o020) !== 0;

describe('--once', () => {
  test('does to each directory what its state says', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.watch');
    write('DC2/deep/b');
    write('DC2/finished.parse');
    write('DC3/c');
    write('DC4/d');
    const { options } = optionsFor(root, target, { newest: 'name' });
    const { summary, failure } = await scan(options);
    expect(failure).toBeUndefined();
    expect(summary.directories).toEqual([
      { name: 'DC2', state: 'closed', sealed: true },
      { name: 'DC3', state: 'abandoned', sealed: true },
      { name: 'DC4', state: 'active', sealed: false },
    ]);
    expect(summary.files).toBe(3);
    expect(await kept('DC1/a')).toBeUndefined();
    expect(isMarked(at('DC1/a'))).toBe(false);
    expect(await kept('DC2/finished.parse')).toBeDefined();
    expect(['DC2/deep/b', 'DC3/c', 'DC4/d'].every((path) => isMarked(at(path)))).toBe(true);
    expect(existsSync(at('DC4/finished.watch'))).toBe(false);
  });

  test('sends a marked file again when the target holds another version of it', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    await scan(optionsFor(root, target).options);
    writeFileSync(at('DC1/a'), 'second, longer');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(await kept('DC1/a')).toBe('second, longer'.length);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
  });

  test('believes a mark that the target knows nothing of, tells it, and seals', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    const { options, notes, sealed } = optionsFor(root, target);
    const { summary } = await scan(options);
    expect(summary).toMatchObject({ files: 0, skippedMarked: 1, markedUnknown: 1, problemCount: 0 });
    expect(notes).toContain('marked but unknown to the target');
    expect(sealed).toEqual(['DC1']);
    expect(await kept('DC1/a')).toBeUndefined();
  });

  test('with --marks verify sends it', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    utimesSync(at('DC1/a'), OLD_SECONDS, OLD_SECONDS);
    chmodSync(at('DC1/a'), 0o664);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target, { marks: 'verify' }).options);
    expect(summary).toMatchObject({ files: 1, markedUnknown: 0 });
    expect(await kept('DC1/a')).toBeDefined();
  });

  test('seals a directory whose files come from the future, each sent once', async () => {
    const { root, target, at, write } = setup();
    const farSeconds = Date.now() / 1000 + 86_400;
    write('DC1/a');
    utimesSync(at('DC1/a'), farSeconds, farSeconds);
    write('DC1/finished.parse');
    const { summary } = await scan(optionsFor(root, target).options);
    expect(summary).toMatchObject({ files: 1, directories: [{ sealed: true }] });
  });

  test('a file that comes while the directory is being sealed is sent before the seal', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    let seals = 0;
    const late: Target = {
      ...bound(target),
      seal: async (directory, marker, options) => {
        if (seals++ === 0) write('DC1/late');
        await target.seal(directory, marker, options);
      },
    };
    const { summary } = await scan(optionsFor(root, late).options);
    expect(await kept('DC1/late')).toBeDefined();
    expect(isMarked(at('DC1/late'))).toBe(true);
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: true }]);
    expect(seals).toBe(2);
  });

  test('a file written to while it is on its way is not marked until its last version is kept', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC1/finished.parse');
    let puts = 0;
    const slow: Target = {
      ...bound(target),
      put: async (file, options) => {
        const receipt = await target.put(file, options);
        if (puts++ === 0) writeFileSync(at('DC1/a'), 'other');
        return receipt;
      },
    };
    const { summary } = await scan(optionsFor(root, slow).options);
    expect(summary).toMatchObject({ files: 1, directories: [{ sealed: true }] });
    expect(puts).toBe(2);
    expect(await kept('DC1/a')).toBe('other'.length);
  });

  test('a problem keeps its directory, and only that, from being sealed', async () => {
    const { root, target, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    write('DC2/b');
    write('DC2/finished.parse');
    const failing: Target = {
      ...bound(target),
      put: async (file, options) => {
        if (file.entry.path === 'DC1/a') throw new IsyncError('IMMUTABLE', 'kept already', { path: 'DC1/a' });
        return await target.put(file, options);
      },
    };
    const { options, problems, sealed } = optionsFor(root, failing);
    const { summary, failure } = await scan(options);
    expect(failure).toBeUndefined();
    expect(problems).toEqual([{ path: 'DC1/a', code: 'IMMUTABLE', message: 'kept already' }]);
    expect(summary.problems).toEqual(problems);
    expect(sealed).toEqual(['DC2']);
  });

  test('an error that is no file’s ends the scan, with what was done until then', async () => {
    const { root, target, at, write } = setup();
    write('DC1/a');
    write('DC1/finished.parse');
    const refusing: Target = {
      ...bound(target),
      put: () => Promise.reject(new IsyncError('AUTH_REFUSED', 'wrong token')),
    };
    const { summary, failure } = await scan(optionsFor(root, refusing).options);
    expect(failure?.code).toBe('AUTH_REFUSED');
    expect(summary.directories).toEqual([{ name: 'DC1', state: 'closed', sealed: false }]);
    expect(isMarked(at('DC1/a'))).toBe(false);
  });

  test('oldest directory first', async () => {
    const { root, target, at, write } = setup();
    for (const name of ['DC10', 'DC2', 'DC1']) {
      for (let i = 0; i < 50; i++) {
        write(`${name}/${i}`);
        utimesSync(at(`${name}/${i}`), OLD_SECONDS, OLD_SECONDS);
      }
      write(`${name}/finished.parse`);
    }
    const order: string[] = [];
    const recording: Target = {
      ...bound(target),
      put: (file, options) => {
        order.push(file.entry.path.split('/')[0]!);
        return target.put(file, options);
      },
    };
    await scan(optionsFor(root, recording, { newest: 'name' }).options);
    expect([...new Set(order)]).toEqual(['DC1', 'DC2', 'DC10']);
  });
});

describe('a daemon', () => {
  test('sends a file that a parser with umask 002 renames into place', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/first');
    follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/first'))).toBe(true), 10_000);
    write('DC1/b.tmp');
    chmodSync(at('DC1/b.tmp'), 0o664);
    utimesSync(at('DC1/b.tmp'), OLD_SECONDS, OLD_SECONDS);
    renameSync(at('DC1/b.tmp'), at('DC1/b'));
    await vi.waitFor(async () => expect(await kept('DC1/b')).toBeDefined(), 10_000);
  });

  test('moves on when a newer directory appears, without losing a late file of the old one', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    const { sealed } = follow(root, target, { quietMs: 300 });
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 10_000);
    write('DC2/b');
    write('DC1/late');
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 20_000);
    expect(await kept('DC1/late')).toBeDefined();
    await vi.waitFor(() => expect(isMarked(at('DC2/b'))).toBe(true), 10_000);
    write('DC2/c');
    write('DC2/finished.parse');
    await vi.waitFor(() => expect(sealed).toEqual(['DC1', 'DC2']), 20_000);
    expect(await kept('DC2/c')).toBeDefined();
    expect(await kept('DC2/finished.parse')).toBeDefined();
  });

  test('sends again what is written after its mark, and what lost its mark', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC1/b', 'b');
    const { end } = follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/a')) && isMarked(at('DC1/b'))).toBe(true), 10_000);
    writeFileSync(at('DC1/a'), 'second, longer');
    await vi.waitFor(async () => expect(await kept('DC1/a')).toBe('second, longer'.length), 10_000);
    chmodSync(at('DC1/b'), 0o644);
    await vi.waitFor(() => expect(isMarked(at('DC1/b'))).toBe(true), 10_000);
    const { summary } = await end();
    expect(summary.files).toBe(4);
  });

  test('ends what is in flight when it is told to stop', async () => {
    const { root, target, at, write } = setup();
    write('DC1/a');
    const gate = Promise.withResolvers<void>();
    const putting = Promise.withResolvers<void>();
    const gated: Target = {
      ...bound(target),
      put: async (file, options) => {
        putting.resolve();
        await gate.promise;
        return await target.put(file, options);
      },
    };
    const { end } = follow(root, gated);
    await putting.promise;
    const ending = end();
    gate.resolve();
    const { failure, summary } = await ending;
    expect(failure).toBeUndefined();
    expect(summary.files).toBe(1);
    expect(isMarked(at('DC1/a'))).toBe(true);
  });

  test('finds hundreds of directories that appear together', async () => {
    const { root, target, write } = setup();
    const { sealed } = follow(root, target, { quietMs: 100 });
    for (let i = 0; i < 300; i++) {
      write(`DC${i}/a`);
      write(`DC${i}/finished.parse`);
    }
    await vi.waitFor(() => expect(new Set(sealed).size).toBe(300), 30_000);
  });
});

test('a root that is not there is an error of its own', async () => {
  const { target } = setup();
  await expect(scan(optionsFor('/nonexistent/root', target).options)).rejects.toMatchObject({
    code: 'ROOT_MISSING',
  });
});

/** The methods of a target as plain functions, to be replaced one by one. */
function bound(target: Target): Target {
  return {
    put: (file, options) => target.put(file, options),
    look: (paths, options) => target.look(paths, options),
    list: (prefix, options) => target.list(prefix, options),
    seal: (directory, marker, options) => target.seal(directory, marker, options),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

test('the marker says when it was written, and is never kept at the target', async () => {
  const { root, target, at, write, kept } = setup();
  write('DC1/a');
  write('DC1/finished.parse');
  await scan(optionsFor(root, target).options);
  expect(Date.parse(JSON.parse(readFileSync(at('DC1/finished.watch'), 'utf8')).finished)).not.toBeNaN();
  expect(await kept('DC1/finished.watch')).toBeUndefined();
});
