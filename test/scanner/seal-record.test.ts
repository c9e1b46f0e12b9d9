import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSealRecord, readSealRecord } from '../../src/scanner/seal-record.ts';
import { makeRoot, rel, write } from './support.ts';

const DC1 = rel('DC1');
const RECORD = {
  finished: '2026-11-25T20:00:00.000Z',
  directory: 'DC1',
  device: 2049,
  inode: 131_074,
  born: 1_764_100_800_000.25,
  store: 'a5c1',
  files: 3,
  bytes: 12_288,
  fingerprint: '0123456789abcdef',
};
const text = (changes: Record<string, unknown> = {}): string => JSON.stringify({ ...RECORD, ...changes });

describe('the record of a seal', () => {
  test('is read from the marker of its directory', () => {
    const root = makeRoot();
    write(root, 'DC1/finished.watch', `${text()}\n`);
    expect(readSealRecord(root, DC1)).toEqual(RECORD);
  });

  test('has no store where the target told none', () => {
    expect(parseSealRecord(text({ store: null }))).toEqual({ ...RECORD, store: undefined });
  });

  test('may have fields that nobody knows yet', () => {
    expect(parseSealRecord(text({ more: [1] }))).toEqual(RECORD);
  });

  test.each([
    ['nothing', ''],
    ['the marker of an older version', '{"finished":"2026-11-25T20:00:00.000Z"}\n'],
    ['half of one', text().slice(0, 60)],
    ['a list', '[]'],
    ['null', 'null'],
    ['a text for a number', text({ files: '3' })],
    ['less than no files', text({ files: -1 })],
    ['half a byte', text({ bytes: 0.5 })],
    ['no time', text({ finished: 'yesterday' })],
    ['no directory', text({ directory: '' })],
    ['no birthtime', text({ born: null })],
    ['no word of the store', text({ store: undefined })],
    ['a store without a name', text({ store: '' })],
    ['another kind of fingerprint', text({ fingerprint: '0123' })],
  ])('is not %s', (_, content) => {
    expect(parseSealRecord(content)).toBeUndefined();
  });

  test('is not looked for in what is no short regular file', () => {
    const root = makeRoot();
    expect(readSealRecord(root, DC1)).toBeUndefined();
    write(root, 'DC1/finished.watch', `${text()}${' '.repeat(20_000)}`);
    expect(readSealRecord(root, DC1)).toBeUndefined();
    write(root, 'elsewhere', text());
    mkdirSync(`${root}/DC2`);
    symlinkSync('../elsewhere', `${root}/DC2/finished.watch`);
    expect(readSealRecord(root, rel('DC2'))).toBeUndefined();
    mkdirSync(`${root}/DC3/finished.watch`, { recursive: true });
    expect(readSealRecord(root, rel('DC3'))).toBeUndefined();
    mkdirSync(`${root}/DC4`);
    execFileSync('mkfifo', [`${root}/DC4/finished.watch`]);
    expect(readSealRecord(root, rel('DC4'))).toBeUndefined();
  });
});
