import { chmodSync, existsSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import type { Target } from '../../src/sender/target.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import { QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { bound, follow, isMarked, OLD_SECONDS, optionsFor, setup } from './scan-fixture.ts';

/** An unprivileged user: nothing is forbidden to root. */
const STRANGER = 65_534;

describe('a daemon', () => {
  test('sends a file that a parser with umask 002 renames into place', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/first');
    follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/first'))).toBe(true), 60_000);
    write('DC1/b.tmp');
    chmodSync(at('DC1/b.tmp'), 0o664);
    utimesSync(at('DC1/b.tmp'), OLD_SECONDS, OLD_SECONDS);
    renameSync(at('DC1/b.tmp'), at('DC1/b'));
    await vi.waitFor(async () => expect(await kept('DC1/b')).toBeDefined(), 60_000);
  });

  test('sends it also where the directory is closed before it has settled', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/first');
    const { sealed } = follow(root, target, { settleMs: 250 });
    await vi.waitFor(() => expect(isMarked(at('DC1/first'))).toBe(true), 60_000);
    write('DC1/b.tmp');
    chmodSync(at('DC1/b.tmp'), 0o664);
    utimesSync(at('DC1/b.tmp'), OLD_SECONDS, OLD_SECONDS);
    renameSync(at('DC1/b.tmp'), at('DC1/b'));
    write('DC1/finished.parse');
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
    expect(await kept('DC1/b')).toBeDefined();
  });

  test('moves on when a newer directory appears, without losing a late file of the old one', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    const { sealed } = follow(root, target, { quietMs: 300 });
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
    write('DC2/b');
    write('DC1/late');
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
    expect(await kept('DC1/late')).toBeDefined();
    await vi.waitFor(() => expect(isMarked(at('DC2/b'))).toBe(true), 60_000);
    write('DC2/c');
    write('DC2/finished.parse');
    await vi.waitFor(() => expect(sealed).toEqual(['DC1', 'DC2']), 60_000);
    expect(await kept('DC2/c')).toBeDefined();
    expect(await kept('DC2/finished.parse')).toBeDefined();
  });

  test('sends again what is written after its mark, and what lost its mark', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a', 'first');
    write('DC1/b', 'b');
    const { end } = follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/a')) && isMarked(at('DC1/b'))).toBe(true), 60_000);
    writeFileSync(at('DC1/a'), 'second, longer');
    await vi.waitFor(async () => expect(await kept('DC1/a')).toBe('second, longer'.length), 60_000);
    chmodSync(at('DC1/b'), 0o644);
    await vi.waitFor(() => expect(isMarked(at('DC1/b'))).toBe(true), 60_000);
    const { summary } = await end();
    expect(summary.files).toBe(4);
  });

  test('outlives a root that it may not look into for a while', async () => {
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(STRANGER);
    onTestFinished(() => void (isRoot && process.seteuid?.(0)));
    const { root, target, at, write } = setup();
    write('DC1/a');
    const { end, problems } = follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
    chmodSync(root, 0);
    onTestFinished(() => chmodSync(root, 0o755));
    await vi.waitFor(() => expect(problems.map(({ path }) => path)).toContain('DC1'), 60_000);
    chmodSync(root, 0o755);
    write('DC2/b');
    await vi.waitFor(() => expect(isMarked(at('DC2/b'))).toBe(true), 60_000);
    expect((await end()).failure).toBeUndefined();
  });

  test('ends when the target refuses it, also while there is nothing to send', async () => {
    const { root, target } = setup();
    const refused = Promise.withResolvers<IsyncError>();
    const { options } = optionsFor(root, { ...bound(target), refused: refused.promise }, { once: false });
    const ended = scan(options);
    refused.resolve(new IsyncError('AUTH_REFUSED', 'the token has been revoked'));
    expect((await ended).failure?.code).toBe('AUTH_REFUSED');
  });

  test('goes on with a directory that is removed and made again', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/a');
    follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
    rmSync(at('DC1'), { recursive: true });
    write('DC1/b');
    await vi.waitFor(async () => expect(await kept('DC1/b')).toBeDefined(), 60_000);
    await vi.waitFor(() => expect(isMarked(at('DC1/b'))).toBe(true), 60_000);
    write('DC1/c');
    await vi.waitFor(async () => expect(await kept('DC1/c')).toBeDefined(), 60_000);
  });

  test('goes on soon with one that is made again while a file of the removed one is on its way', async () => {
    const { root, target, at, write, kept } = setup();
    write('DC1/first');
    const putting = Promise.withResolvers<void>();
    const mayGoOn = Promise.withResolvers<void>();
    const slow: Target = {
      ...bound(target),
      put: async (file, options) => {
        if (file.entry.path === 'DC1/slow') {
          putting.resolve();
          await mayGoOn.promise;
        }
        return await target.put(file, options);
      },
    };
    const { log } = follow(root, slow, { newest: 'name' });
    onTestFinished(() => mayGoOn.resolve());
    await vi.waitFor(() => expect(isMarked(at('DC1/first'))).toBe(true), 60_000);
    write('DC1/slow');
    await putting.promise;
    rmSync(at('DC1'), { recursive: true });
    await vi.waitFor(() => expect(log.messages).toContain('the data directory is gone'), 60_000);
    write('DC1/b');
    // The root has been listed again when this one is sent.
    write('DC0/a');
    await vi.waitFor(() => expect(isMarked(at('DC0/a'))).toBe(true), 60_000);
    mayGoOn.resolve();
    await vi.waitFor(async () => expect(await kept('DC1/b')).toBeDefined(), 60_000);
  });

  test('closes a directory whose marker came before its watch stood', async () => {
    const { root, target, write, kept } = setup();
    write('DC1/a');
    const { options, sealed } = optionsFor(root, target);
    const stop = new AbortController();
    const ended = scan({
      ...options,
      once: false,
      signal: stop.signal,
      observer: {
        ...options.observer,
        directory: (name, state, isSealed) => {
          if (state === 'active') write('DC1/finished.parse');
          options.observer.directory(name, state, isSealed);
        },
      },
    });
    await vi.waitFor(() => expect(sealed).toEqual(['DC1']), 60_000);
    expect(await kept('DC1/finished.parse')).toBeDefined();
    stop.abort();
    await ended;
  });

  test('opens a directory again whose parser takes its marker back before the seal', async () => {
    const { root, target, at, write } = setup();
    write('DC1/a');
    const sealing = Promise.withResolvers<void>();
    const taken: Target = {
      ...bound(target),
      seal: async () => {
        rmSync(at('DC1/finished.parse'), { force: true });
        sealing.resolve();
        throw new IsyncError('FILE_CHANGED', 'the marker changed');
      },
    };
    const { end } = follow(root, taken);
    await vi.waitFor(() => expect(isMarked(at('DC1/a'))).toBe(true), 60_000);
    write('DC1/finished.parse');
    await sealing.promise;
    write('DC1/b');
    await vi.waitFor(() => expect(isMarked(at('DC1/b'))).toBe(true), 60_000);
    expect(existsSync(at('DC1/finished.watch'))).toBe(false);
    expect((await end()).summary.directories).toMatchObject([{ name: 'DC1', sealed: false }]);
  });

  test('sends all others where one file is of a time that the wire can not tell', async () => {
    const { root, at, write } = setup();
    const receiver = usingForTest(await receive(usingForTest(createMemoryStore())));
    const target = usingForTest(send(receiver.url, QUICK));
    for (const path of ['DC1/a', 'DC1/far', 'DC2/b', 'DC2/finished.parse']) write(path);
    const far = new Date('2300-01-01');
    for (const path of ['DC1/far', 'DC2/finished.parse']) utimesSync(at(path), far, far);
    const { problems } = follow(root, target);
    await vi.waitFor(() => expect(isMarked(at('DC1/a')) && isMarked(at('DC2/b'))).toBe(true), 60_000);
    const told = () => problems.map(({ path }) => path).toSorted();
    await vi.waitFor(() => expect(told()).toEqual(['DC1/far', 'DC2/finished.parse']), 60_000);
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
