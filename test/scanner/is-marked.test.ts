import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, lstatSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isMarked } from '../../src/scanner/is-marked.ts';
import { LONG_AGO, makeRoot } from './support.ts';

function makeFile(mode: number): string {
  const file = `${makeRoot()}/file`;
  writeFileSync(file, 'content');
  chmodSync(file, mode);
  utimesSync(file, LONG_AGO, LONG_AGO);
  return file;
}

describe('a mark is believed', () => {
  test('on a file with g+w whose inode changed after its last write', () => {
    const file = makeFile(0o644);
    expect(isMarked(lstatSync(file))).toBe(false);
    chmodSync(file, 0o664);
    expect(isMarked(lstatSync(file))).toBe(true);
    chmodSync(file, 0o644);
    expect(isMarked(lstatSync(file))).toBe(false);
  });

  test('on a copy that kept mode and mtime', () => {
    const file = makeFile(0o664);
    execFileSync('cp', ['-p', file, `${file}2`]);
    expect(isMarked(lstatSync(`${file}2`))).toBe(true);
  });

  test('by the group-write bit alone', () => {
    expect(isMarked(lstatSync(makeFile(0o757)))).toBe(false);
    expect(isMarked(lstatSync(makeFile(0o020)))).toBe(true);
  });

  // No stat tells the rename from our chmod; whoever trusts marks has to know it.
  test('on a file that a parser with umask 002 wrote and renamed', () => {
    const file = makeFile(0o664);
    renameSync(file, `${file}2`);
    expect(isMarked(lstatSync(`${file}2`))).toBe(true);
  });
});

describe('a mark is not believed', () => {
  test('on a file that a parser with umask 002 wrote and left alone', () => {
    const file = `${makeRoot()}/file`;
    const umask = process.umask(0o002);
    try {
      writeFileSync(file, 'content');
    } finally {
      process.umask(umask);
    }
    appendFileSync(file, 'more');
    const stats = lstatSync(file);
    expect(stats.mode & 0o777).toBe(0o664);
    expect(isMarked(stats)).toBe(false);
  });

  test.each<[string, (file: string) => void]>([
    ['appended to', (file) => appendFileSync(file, 'x')],
    ['overwritten with as many bytes', (file) => writeFileSync(file, 'CONTENT', { flag: 'r+' })],
    ['truncated', (file) => writeFileSync(file, '')],
  ])('on a file that was %s after it was marked', (_, change) => {
    const file = makeFile(0o664);
    expect(isMarked(lstatSync(file))).toBe(true);
    change(file);
    expect(lstatSync(file).mode & 0o777).toBe(0o664);
    expect(isMarked(lstatSync(file))).toBe(false);
  });

  test('while the mtime lies in the future', () => {
    const file = makeFile(0o664);
    const future = new Date(Date.now() + 3_600_000);
    utimesSync(file, future, future);
    expect(isMarked(lstatSync(file))).toBe(false);
  });
});
