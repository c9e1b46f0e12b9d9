import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FileRecord, RegularRecord } from '../../src/backup/list/file-record.ts';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import { readRecords } from '../../src/backup/list/read-records.ts';
import { ProvisionalList } from '../../src/backup/pack/provisional-list.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-list-'));
  path = join(folder, 'list');
});
afterEach(() => rmSync(folder, { recursive: true }));

const VERSION = 12;

function file(name: string, archive: number, from: number, to: number): RegularRecord {
  return {
    path: parseMemberPath(name),
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeNs: 5n,
    size: to - from,
    sha256: 'a'.repeat(64),
    stored: { archive, from, to, skip: 0 },
  };
}

/** Frames of 10 bytes, each of which became 3. */
const frames = {
  placeOf: (start: number, end: number) =>
    start === end
      ? { from: 0, to: 0, skip: 0 }
      : { from: Math.floor(start / 10) * 3, to: Math.ceil(end / 10) * 3, skip: start % 10 },
};

async function made(records: readonly FileRecord[]): Promise<FileRecord[]> {
  await using list = await ProvisionalList.create(path, VERSION);
  for (const record of records) await list.add(record);
  await list.finish(frames);
  const found: FileRecord[] = [];
  for await (const record of readRecords(createReadStream(path), list.records)) found.push(record);
  return found;
}

it('has places in frames where there were positions in the tar, of its own archive alone', async () => {
  // What a line says, in a name.
  const sly = `,"archive":${VERSION},"from":25,"to":31,"skip":0`;
  const records = [
    file(sly, VERSION, 25, 31),
    { ...file('ä\n"', VERSION, 0, 40), linkTo: parseMemberPath(sly) },
    file('empty', VERSION, 0, 0),
    file('of another', 1, 25, 31),
    file('of one like it', 121, 25, 31),
  ].sort((one, other) => (one.path < other.path ? -1 : 1));
  const found = await made(records);
  const stored = found.map((each) => (each.type === 'file' ? [each.path, each.stored] : []));
  expect(Object.fromEntries(stored) as unknown).toEqual({
    [sly]: { archive: VERSION, from: 6, to: 12, skip: 5 },
    empty: { archive: VERSION, from: 0, to: 0, skip: 0 },
    'of another': { archive: 1, from: 25, to: 31, skip: 0 },
    'of one like it': { archive: 121, from: 25, to: 31, skip: 0 },
    'ä\n"': { archive: VERSION, from: 0, to: 12, skip: 0 },
  });
});

it('is for its owner alone, made anew, and leaves nothing else', async () => {
  writeFileSync(path, 'what was there before', { mode: 0o644 });
  expect(await made([])).toEqual([]);
  expect(statSync(path)).toMatchObject({ size: 0, mode: 0o100600 });
  expect(readdirSync(folder)).toEqual(['list']);
});

it('is the same however its blocks are cut', async () => {
  const records = Array.from({ length: 20_000 }, (_, at) =>
    file(`${'ü'.repeat(1 + (at % 7))}${String(at).padStart(6, '0')}`, VERSION, at * 10, at * 10 + 1),
  ).sort((one, other) => (one.path < other.path ? -1 : 1));
  const found = await made(records);
  expect(found).toEqual(
    records.map((each) => ({
      ...each,
      stored: { archive: VERSION, ...frames.placeOf(each.stored.from, each.stored.to) },
    })),
  );
});
