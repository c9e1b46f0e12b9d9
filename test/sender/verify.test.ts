import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Problem } from '../../src/model/problem.ts';
import { createLocalTarget } from '../../src/sender/local/local-target.ts';
import { scan } from '../../src/sender/scan.ts';
import { verify, type VerifyOptions } from '../../src/sender/verify.ts';
import { openFileStore } from '../../src/store/file/file-store.ts';
import { PATIENT, usingForTest } from './receiver-fixture.ts';
import { DEFAULT_IGNORE, isMarked, optionsFor, setup } from './scan-fixture.ts';

/** A root with one sealed directory of three files, kept in a folder of real files. */
async function sealed() {
  const { root, at, write } = setup();
  const folder = await mkdtemp(join(tmpdir(), 'isync-verify-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = usingForTest(await openFileStore(folder));
  const target = usingForTest(createLocalTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }));
  for (const name of ['a', 'sub/b', 'c']) write(`DC1/${name}`);
  write('DC1/finished.parse');
  const send = async () => (await scan(optionsFor(root, target).options)).summary;
  expect(await send()).toMatchObject({ files: 3, directories: [{ sealed: true }] });
  const check = async (changes: Partial<VerifyOptions> = {}) => {
    const told: Problem[] = [];
    const summary = await verify({
      root,
      target,
      tag: '',
      ignore: DEFAULT_IGNORE,
      quick: false,
      repair: false,
      algorithm: 'xxh64',
      signal: new AbortController().signal,
      onDifference: (problem) => void told.push(problem),
      onProgress: () => undefined,
      ...changes,
    });
    return { summary, told: told.map(({ code, path }) => `${code} ${path}`).toSorted() };
  };
  const kept = (path: string): string => join(folder, 'edge1', path);
  return { root, at, write, kept, send, check };
}

/** Changes a kept file's content and nothing that stat tells of. */
function rot(path: string): void {
  const { size, atimeMs, mtimeMs } = statSync(path);
  writeFileSync(path, 'x'.repeat(size));
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

describe('verify', () => {
  test('finds nothing where both sides hold the same, the marker included', async () => {
    const { check } = await sealed();
    const { summary, told } = await check();
    expect(told).toEqual([]);
    expect(summary).toMatchObject({ files: 4, different: 0, missing: 0, extra: 0, problems: 0 });
  });

  test('finds content that has rotted at the target, which a quick look can’t', async () => {
    const { kept, check } = await sealed();
    rot(kept('DC1/a'));
    expect((await check({ quick: true })).told).toEqual([]);
    expect((await check()).told).toEqual(['DIFFERENT DC1/a']);
  });

  test('finds what the target lacks, and what only the target has', async () => {
    const { at, kept, check } = await sealed();
    rmSync(kept('DC1/sub/b'));
    rmSync(kept('DC1/finished.parse'));
    rmSync(at('DC1/c'));
    expect((await check()).told).toEqual(['EXTRA DC1/c', 'MISSING DC1/finished.parse', 'MISSING DC1/sub/b']);
  });

  test('changes nothing without --repair', async () => {
    const { at, kept, check, send } = await sealed();
    rot(kept('DC1/a'));
    await check();
    expect(isMarked(at('DC1/a'))).toBe(true);
    expect(await send()).toMatchObject({ files: 0 });
  });

  test('with repair has the next scan send what differs or is missing, and only that', async () => {
    const { at, kept, check, send } = await sealed();
    rot(kept('DC1/a'));
    rmSync(kept('DC1/sub/b'));
    const { summary } = await check({ repair: true });
    expect(summary).toMatchObject({ different: 1, missing: 1, repaired: 2 });
    expect(isMarked(at('DC1/a'))).toBe(false);
    expect(isMarked(at('DC1/c'))).toBe(true);
    expect(existsSync(at('DC1/finished.watch'))).toBe(false);
    expect(await send()).toMatchObject({ files: 2, skippedMarked: 1, directories: [{ sealed: true }] });
    expect((await check()).told).toEqual([]);
  });
});
