import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Problem } from '../../src/model/problem.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { createIgnoreRule } from '../../src/scanner/ignore-rule.ts';
import { expire } from '../../src/sender/expire/expire.ts';
import { scan } from '../../src/sender/scan/scan.ts';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import type { Target } from '../../src/sender/target.ts';
import { verify } from '../../src/sender/verify.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { RecordingLog } from '../recording-log.ts';
import { age } from './expire/fixture.ts';
import { PATIENT, QUICK, receive, send, usingForTest } from './receiver-fixture.ts';
import { DEFAULT_IGNORE, optionsFor, setup } from './scan-fixture.ts';

/** Both ways to a store in a folder: by itself, and through a receiver. */
describe.each(['a folder', 'a receiver'])('of %s that has retired a directory', (way) => {
  /** A root with two sealed directories, the first of which the store has retired. */
  async function retired() {
    const { root, at, write } = setup();
    const folder = await mkdtemp(join(tmpdir(), 'isync-retired-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const store = usingForTest(await openFileStore(folder, { recordSeals: true }));
    let target: Target;
    if (way === 'a folder')
      target = usingForTest(createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }));
    else target = usingForTest(send(usingForTest(await receive(store)).url, QUICK));
    for (const path of ['DC1/a', 'DC1/sub/b', 'DC2/a']) write(path);
    for (const name of ['DC1', 'DC2']) write(`${name}/finished.parse`);
    const sendAll = async (changes = {}) => {
      const told = optionsFor(root, target, changes);
      return { ...(await scan(told.options)).summary, problems: told.problems };
    };
    expect((await sendAll()).problems).toEqual([]);
    const { retirements } = store;
    if (retirements === undefined) throw new Error('a folder retires directories');
    for await (const directory of retirements.sealedOf('edge1'))
      if (directory.path === 'edge1/DC1')
        await retirements.retire(directory, { notAfterMs: Date.now() + 1e9, objection: () => undefined });
    expect(existsSync(join(folder, 'edge1/DC1'))).toBe(false);
    const check = async (repair = false) => {
      const told: Problem[] = [];
      const names: string[] = [];
      const summary = await verify({
        root,
        target,
        tag: '',
        ignore: DEFAULT_IGNORE,
        quick: false,
        repair,
        replaceDamaged: false,
        signal: new AbortController().signal,
        onDifference: (problem) => void told.push(problem),
        onRetired: (name) => void names.push(name),
        onProgress: () => undefined,
      });
      return { summary, told: told.map(({ code, path }) => `${code} ${path}`), names };
    };
    return {
      root,
      at,
      write,
      target,
      send: sendAll,
      check,
      kept: (path: string) => join(folder, 'edge1', path),
    };
  }

  test('the scan sends nothing of it again, at no start', async () => {
    const { send, kept } = await retired();
    for (let start = 0; start < 2; start++) expect(await send()).toMatchObject({ files: 0, problems: [] });
    expect(existsSync(kept('DC1'))).toBe(false);
  });

  test('the target tells when, of that one only', async () => {
    const { target } = await retired();
    expect(await target.retiredAt(parseRelPath('DC1'))).toBeGreaterThan(Date.now() - 600_000);
    for (const name of ['DC2', 'none']) expect(await target.retiredAt(parseRelPath(name))).toBeUndefined();
  });

  test('verify says so, calls nothing lost, and repairs nothing', async () => {
    const { at, check, kept } = await retired();
    expect(await check(true)).toMatchObject({
      summary: { files: 2, retired: 3, missing: 0, extra: 0, repaired: 0 },
      told: [],
      names: ['DC1'],
    });
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
    // What is lost is lost all the same.
    rmSync(kept('DC2/a'));
    expect(await check()).toMatchObject({ summary: { retired: 3, missing: 1 }, told: ['MISSING DC2/a'] });
  });

  test('verify says so also where its files have gone from here', async () => {
    const { at, check } = await retired();
    for (const path of ['a', 'sub', 'finished.parse']) rmSync(at(`DC1/${path}`), { recursive: true });
    expect(await check()).toMatchObject({ summary: { missing: 0, retired: 0 }, told: [], names: ['DC1'] });
  });

  test('expire keeps it, says why, and goes on with the others', async () => {
    const { root, at, target } = await retired();
    for (const name of ['DC1', 'DC2']) age(at(name), 3);
    const kept: Problem[] = [];
    const expired: string[] = [];
    const { failure } = await expire({
      root,
      target,
      tag: '',
      ignore: createIgnoreRule(DEFAULT_IGNORE),
      newest: 'birthtime',
      keepMs: 0,
      minFree: undefined,
      keepAtLeastMs: 0,
      maxDelete: undefined,
      dryRun: false,
      readBack: false,
      targetName: 'test',
      signal: new AbortController().signal,
      observer: {
        compared: () => undefined,
        expired: ({ name }) => void expired.push(name),
        kept: (_directory, problem) => void kept.push(problem),
      },
      log: new RecordingLog(),
    });
    expect({ failure, expired }).toEqual({ failure: undefined, expired: ['DC2'] });
    expect(kept).toMatchObject([
      { code: 'NOT_EXPIRED', path: 'DC1', message: expect.stringMatching(/has retired it at .*only copy/) },
    ]);
    expect(existsSync(at('DC1/sub/b'))).toBe(true);
  });

  test('only what has come since is growth; deleted files are none', async () => {
    const { at, write, send, kept } = await retired();
    rmSync(at('DC1/a'));
    expect(await send({ reopen: true })).toMatchObject({ files: 0, problems: [] });
    write('DC1/new');
    expect((await send()).problems).toMatchObject([
      { code: 'SEALED_GROWN', message: expect.stringContaining('1 of its files') },
    ]);
    expect(existsSync(kept('DC1'))).toBe(false);
  });

  test('one that goes between the last question and the seal is sent before it is sealed', async () => {
    const { at, target, send, kept } = await retired();
    rmSync(at('DC2/finished.watch'));
    const seal = target.seal.bind(target);
    let seals = 0;
    vi.spyOn(target, 'seal').mockImplementation(async (...of) => {
      // The link was away for ten minutes.
      if (seals++ === 0) {
        rmSync(kept('DC2'), { recursive: true });
        const { now } = Date;
        vi.spyOn(Date, 'now').mockImplementation(() => now() + 600_000);
      }
      await seal(...of);
    });
    expect((await send()).problems).toEqual([]);
    expect(existsSync(at('DC2/finished.watch'))).toBe(true);
    expect(existsSync(kept('DC2/a'))).toBe(true);
  });

  test('one that is to be looked into again is sent, and is not retired any more', async () => {
    const { at, target, send, check, kept } = await retired();
    rmSync(at('DC1/finished.watch'));
    expect(await send()).toMatchObject({ files: 2, problems: [] });
    expect(existsSync(kept('DC1/sub/b'))).toBe(true);
    expect(await target.retiredAt(parseRelPath('DC1'))).toBeUndefined();
    rmSync(kept('DC1/a'));
    expect((await check()).told).toEqual(['MISSING DC1/a']);
    writeFileSync(kept('DC1/a'), '');
  });
});
