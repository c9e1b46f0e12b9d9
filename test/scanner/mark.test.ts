import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { inspectFile } from '../../src/scanner/inspect-file.ts';
import { isMarked } from '../../src/scanner/is-marked.ts';
import { markFile } from '../../src/scanner/mark.ts';
import { lacksRoot } from '../../harness/tools.ts';
import {
  asStranger,
  LONG_AGO,
  makeRoot,
  openBelow,
  rel,
  seen,
  STRANGER,
  write,
  makeFifo,
} from './support.ts';

const PATH = rel('DC1/a');

/** A root with one file of long ago. */
function makeOld(mode = 0o644): string {
  const root = makeRoot();
  write(root, PATH, 'content');
  chmodSync(`${root}/${PATH}`, mode);
  utimesSync(`${root}/${PATH}`, LONG_AGO, LONG_AGO);
  return root;
}

function mode(root: string, path: string = PATH): number {
  return lstatSync(`${root}/${path}`).mode & 0o7777;
}

describe('marking', () => {
  test('a file that is what was seen', async () => {
    const root = makeOld();
    const before = seen(root, PATH);
    const result = await markFile(root, PATH, before);
    expect(result).toEqual({ outcome: 'marked', believable: true, identity: seen(root, PATH) });
    expect(isMarked(lstatSync(`${root}/${PATH}`))).toBe(true);
    expect(seen(root, PATH)).toEqual({ ...before, ctimeMs: expect.any(Number) });
  });

  test.each([0o644, 0o600, 0o664, 0o1604, 0o755])('keeps the other bits of mode %o', async (before) => {
    const root = makeOld(before);
    await markFile(root, PATH, seen(root, PATH));
    expect(mode(root)).toBe(before | 0o020);
  });

  test('again is harmless', async () => {
    const root = makeOld();
    await markFile(root, PATH, seen(root, PATH));
    expect(await markFile(root, PATH, seen(root, PATH))).toMatchObject({
      outcome: 'marked',
      believable: true,
    });
  });

  test('changes nothing of the folder', async () => {
    const root = makeOld();
    const before = statSync(`${root}/DC1`);
    await markFile(root, PATH, seen(root, PATH));
    const after = statSync(`${root}/DC1`);
    expect([after.mtimeMs, after.ctimeMs]).toEqual([before.mtimeMs, before.ctimeMs]);
  });

  test('makes the g+w of a parser with umask 002 a mark', async () => {
    const root = makeRoot();
    write(root, PATH);
    chmodSync(`${root}/${PATH}`, 0o664);
    writeFileSync(`${root}/${PATH}`, 'written after');
    expect(isMarked(lstatSync(`${root}/${PATH}`))).toBe(false);
    expect(await markFile(root, PATH, seen(root, PATH))).toMatchObject({
      outcome: 'marked',
      believable: true,
    });
    expect(isMarked(lstatSync(`${root}/${PATH}`))).toBe(true);
  });

  test('holds none of them open, however many are marked at once', async () => {
    const root = makeRoot();
    const paths = Array.from({ length: 50 }, (_, index) => rel(`DC1/${index}`));
    for (const path of paths) {
      write(root, path);
      utimesSync(`${root}/${path}`, LONG_AGO, LONG_AGO);
    }
    const results = paths.map((path) => markFile(root, path, seen(root, path)));
    expect(openBelow(root)).toEqual([]);
    for (const { outcome } of await Promise.all(results)) expect(outcome).toBe('marked');
  });

  test('is believable also for files written in this very moment', async () => {
    const root = makeRoot();
    for (let index = 0; index < 50; index++) {
      const path = rel(`DC1/${index}`);
      write(root, path);
      expect(await markFile(root, path, seen(root, path))).toMatchObject({
        outcome: 'marked',
        believable: true,
      });
      expect(isMarked(lstatSync(`${root}/${path}`))).toBe(true);
    }
  });
});

describe('a file that is not what was seen is left alone:', () => {
  test.each<[string, (file: string) => void]>([
    ['appended to', (file) => appendFileSync(file, 'x')],
    ['overwritten with as many bytes', (file) => writeFileSync(file, 'CONTENT', { flag: 'r+' })],
    ['touched', (file) => utimesSync(file, new Date(), new Date())],
    ['chmodded', (file) => chmodSync(file, 0o640)],
    [
      'replaced',
      (file) => {
        writeFileSync(`${file}2`, 'content');
        utimesSync(`${file}2`, LONG_AGO, LONG_AGO);
        renameSync(`${file}2`, file);
      },
    ],
    ['a FIFO now', replaceBy((file) => makeFifo(file))],
    ['a folder now', replaceBy((file) => mkdirSync(file))],
    ['a symlink to another file now', replaceBy((file) => symlinkSync('b', file))],
    [
      'a symlink to the file that was seen now',
      (file) => {
        renameSync(file, `${file}2`);
        symlinkSync('a2', file);
      },
    ],
  ])('%s', async (_, change) => {
    const root = makeOld();
    write(root, 'DC1/b');
    const version = seen(root, PATH);
    change(`${root}/${PATH}`);
    const before = [lstatSync(`${root}/${PATH}`), statSync(`${root}/${PATH}`)].map(modeAndTimes);
    expect(await markFile(root, PATH, version)).toEqual({ outcome: 'changed' });
    expect([lstatSync(`${root}/${PATH}`), statSync(`${root}/${PATH}`)].map(modeAndTimes)).toEqual(before);
  });

  test('vanished', async () => {
    const root = makeOld();
    const before = seen(root, PATH);
    rmSync(`${root}/${PATH}`);
    expect(await markFile(root, PATH, before)).toEqual({ outcome: 'vanished' });
    rmSync(`${root}/DC1`, { recursive: true });
    expect(await markFile(root, PATH, before)).toEqual({ outcome: 'vanished' });
    writeFileSync(`${root}/DC1`, 'a file where the folder was');
    expect(await markFile(root, PATH, before)).toEqual({ outcome: 'vanished' });
  });
});

describe('a file with an mtime in the future', () => {
  test('is marked at once, and the caller told that no listing will believe it', async () => {
    const root = makeFuture(3_600_000);
    const result = await markFile(root, PATH, seen(root, PATH));
    expect(result).toEqual({ outcome: 'marked', believable: false, identity: seen(root, PATH) });
    expect(mode(root)).toBe(0o664);
    expect(isMarked(lstatSync(`${root}/${PATH}`))).toBe(false);
  });

  test('that is near is waited for', async () => {
    const root = makeFuture(200);
    expect(await markFile(root, PATH, seen(root, PATH))).toMatchObject({
      outcome: 'marked',
      believable: true,
    });
  });

  test('and is written, unmarked or linked during the wait is unmarked and changed', async () => {
    const cases: readonly [change: (file: string) => void, left: number][] = [
      [(file) => appendFileSync(file, 'x'), 0o644],
      [(file) => chmodSync(file, 0o600), 0o600],
      [(file) => linkSync(file, `${file}2`), 0o644],
    ];
    await Promise.all(
      cases.map(async ([change, left]) => {
        const root = makeFuture(1_500);
        const marking = markFile(root, PATH, seen(root, PATH));
        expect(mode(root)).toBe(0o664);
        change(`${root}/${PATH}`);
        expect(await marking).toEqual({ outcome: 'changed' });
        expect(mode(root)).toBe(left);
      }),
    );
  });
});

describe.skipIf(lacksRoot())('a mark that can’t be set', () => {
  test('because the file is somebody else’s is an error that says so', async () => {
    const root = makeOld();
    const before = seen(root, PATH);
    await expect(asStranger(() => markFile(root, PATH, before))).rejects.toMatchObject({
      code: 'MARK_NOT_KEPT',
      path: PATH,
      hint: expect.stringContaining('owner'),
    });
    expect(seen(root, PATH)).toEqual(before);
  });

  test('because the file can’t be opened is an error that says so', async () => {
    const root = makeOld(0o200);
    chownSync(`${root}/${PATH}`, STRANGER, STRANGER);
    const before = seen(root, PATH);
    await expect(asStranger(() => markFile(root, PATH, before))).rejects.toMatchObject({
      code: 'READ_ONLY',
      path: PATH,
      hint: expect.stringContaining('read'),
    });
    expect(seen(root, PATH)).toEqual(before);
  });

  test('leaves no file open', async () => {
    const root = makeOld();
    const before = seen(root, PATH);
    await expect(asStranger(() => markFile(root, PATH, before))).rejects.toThrow('EPERM');
    expect(openBelow(root)).toEqual([]);
  });
});

describe('against a writer that never rests', () => {
  // Appends byte by byte with pauses of every length up to 200 µs, which is about what a round of ours takes.
  const WRITER = `
    const fs = require('node:fs');
    const fd = fs.openSync(process.argv[1], 'a');
    process.stdout.write('writing');
    for (let size = 0; size < 200_000; size++) {
      fs.writeSync(fd, 'x');
      const until = process.hrtime.bigint() + BigInt(Math.floor(Math.random() * 200_000));
      while (process.hrtime.bigint() < until);
    }`;
  const ROUNDS = 5_000;

  test('a file that counts as marked has the content that was seen', async () => {
    const root = makeOld();
    const file = `${root}/${PATH}`;
    const writer = spawn(process.execPath, ['-e', WRITER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lies: number[] = [];
    const count = { marked: 0, changed: 0, vanished: 0 };
    try {
      await once(writer.stdout, 'data');
      for (let round = 0; round < ROUNDS; round++) {
        const before = seen(root, PATH);
        const { outcome } = await markFile(root, PATH, before);
        count[outcome]++;
        const after = inspectFile(root, PATH);
        if (after?.kind !== 'file') throw new Error('the file is gone');
        const { entry, marked } = after.file;
        if (marked && (outcome !== 'marked' || entry.size !== before.size)) lies.push(entry.size);
      }
    } finally {
      writer.kill();
    }
    expect(lies).toEqual([]);
    // Else nothing was shown.
    expect(count.marked).toBeGreaterThan(0);
    expect(count.changed).toBeGreaterThan(0);
    expect(count.vanished).toBe(0);
  });
});

function modeAndTimes({ ino, mode, size, mtimeMs, ctimeMs }: Stats): unknown {
  return { ino, mode, size, mtimeMs, ctimeMs };
}

function replaceBy(make: (file: string) => void): (file: string) => void {
  return (file) => {
    rmSync(file);
    make(file);
  };
}

function makeFuture(aheadMs: number): string {
  const root = makeOld();
  const future = new Date(Date.now() + aheadMs);
  utimesSync(`${root}/${PATH}`, future, future);
  return root;
}
