import { existsSync, lstatSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Problem } from '../../src/model/problem.ts';
import { createStoreTarget } from '../../src/sender/store-target/store-target.ts';
import { scan } from '../../src/sender/scan/scan.ts';
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
  const target = usingForTest(createStoreTarget(store, { device: 'edge1', digest: 'xxh64', retry: PATIENT }));
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
      replaceDamaged: false,
      signal: new AbortController().signal,
      onDifference: (problem) => void told.push(problem),
      onRetired: () => undefined,
      onProgress: () => undefined,
      ...changes,
    });
    const messages = told.map(({ message }) => message);
    return { summary, messages, told: told.map(({ code, path }) => `${code} ${path}`).toSorted() };
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

/** Overwrites a source as a power cut leaves it: its times stay, and so may its mark. */
function damage(path: string, content: Uint8Array): void {
  const { mode, atimeMs, mtimeMs } = statSync(path);
  writeFileSync(path, content, { mode });
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

describe('a source that a power cut seems to have damaged', () => {
  test.each([
    ['shorter', Buffer.from('DC1'), false],
    ['empty, in a quick look', Buffer.alloc(0), true],
    ['of zeros', Buffer.alloc(5), false],
  ])('is told as such, and counted: %s', async (_, content, quick) => {
    const { at, check } = await sealed();
    damage(at('DC1/a'), content);
    const { summary, told, messages } = await check({ quick });
    expect(told).toEqual(['SOURCE_DAMAGED DC1/a']);
    expect(messages[0]).toMatch(/the target keeps 5 bytes of the same time.*--replace-damaged/);
    expect(summary).toMatchObject({ damaged: 1, different: 0, missing: 0, problems: 0 });
  });

  test('is none where it grew, or differs in other bytes', async () => {
    const { at, check } = await sealed();
    damage(at('DC1/a'), Buffer.alloc(6));
    damage(at('DC1/c'), Buffer.from('other'));
    expect((await check()).told).toEqual(['DIFFERENT DC1/a', 'DIFFERENT DC1/c']);
  });

  test('is left alone by repair, unless that is to replace the kept one too', async () => {
    const { at, check } = await sealed();
    damage(at('DC1/a'), Buffer.alloc(0));
    const left = await check({ repair: true });
    expect(left.summary).toMatchObject({ damaged: 1, repaired: 0 });
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
    const sent = await check({ repair: true, replaceDamaged: true });
    expect(sent.summary).toMatchObject({ damaged: 1, repaired: 1 });
    expect(isMarked(at('DC1/a'))).toBe(false);
    expect(existsSync(at('DC1/finished.watch'))).toBe(false);
  });
});

describe('the record of a seal', () => {
  /** Seals `DC1` as a scan does that writes such a record. */
  function record(
    at: (path: string) => string,
    changes: Record<string, unknown> = {},
    directory = 'DC1',
  ): void {
    const { dev, ino, birthtimeMs } = lstatSync(at(directory));
    const fields = {
      finished: new Date().toISOString(),
      directory,
      device: dev,
      inode: ino,
      born: birthtimeMs,
      store: null,
      files: 3,
      bytes: 17,
      fingerprint: '0123456789abcdef',
      ...changes,
    };
    writeFileSync(at(`${directory}/finished.watch`), `${JSON.stringify(fields)}\n`);
  }

  test('fits where nothing has happened since', async () => {
    const { at, check } = await sealed();
    expect((await check()).told).toEqual([]);
    record(at);
    expect((await check()).told).toEqual([]);
  });

  test.each([
    ['another name', { directory: 'DC0' }, /"DC0"/],
    ['another folder of its name', { inode: 1 }, /another directory of this name/],
    ['another store', { store: 'store-2' }, /another store/],
  ])('is told where it is of %s', async (_, changes, message) => {
    const { at, check } = await sealed();
    record(at, changes);
    const { told, messages, summary } = await check();
    expect(told).toEqual(['DIFFERENT DC1/finished.watch']);
    expect(messages[0]).toMatch(message);
    expect(summary).toMatchObject({ different: 1, files: 4 });
  });

  test('is told where the target has fewer files than were sealed, which nothing else tells', async () => {
    const { at, kept, check } = await sealed();
    record(at);
    rmSync(kept('DC1/c'));
    rmSync(at('DC1/c'));
    const { told, messages, summary } = await check();
    expect(told).toEqual(['MISSING DC1/finished.watch']);
    expect(messages[0]).toMatch(/sealed with 3 files.*the target has 2/);
    expect(summary).toMatchObject({ missing: 1 });
  });

  test('is not told for what is missing by its own name', async () => {
    const { at, write, kept, check } = await sealed();
    record(at);
    rmSync(kept('DC1/c'));
    expect((await check()).told).toEqual(['MISSING DC1/c']);
    rmSync(kept('DC1/a'));
    rmSync(at('DC1/a'));
    write('DC1/never-sent');
    expect((await check()).told).toEqual([
      'MISSING DC1/c',
      'MISSING DC1/finished.watch',
      'MISSING DC1/never-sent',
    ]);
  });

  test('is told of a directory that the target knows nothing of', async () => {
    const { at, check } = await sealed();
    mkdirSync(at('DC2'));
    record(at, {}, 'DC2');
    expect((await check()).told).toEqual(['MISSING DC2/finished.watch']);
  });

  test('is left alone by repair', async () => {
    const { at, check } = await sealed();
    record(at, { files: 9 });
    expect((await check({ repair: true })).summary).toMatchObject({ missing: 1, repaired: 0 });
    expect(existsSync(at('DC1/finished.watch'))).toBe(true);
  });
});
