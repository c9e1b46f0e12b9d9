import { linkSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import { HardLinks } from '../../src/backup/pack/hard-links.ts';
import { OwnerNames } from '../../src/backup/pack/owner-names.ts';
import { RecordingLog } from '../recording-log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isync-links-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function remembered(links: HardLinks, name: string): void {
  const stats = statSync(join(folder, name), { bigint: true });
  links.remember(
    {
      path: parseMemberPath(name),
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtimeNs: stats.mtimeNs,
      size: Number(stats.size),
      sha256: 'a'.repeat(64),
      stored: { archive: 1, from: 0, to: 9, skip: 0 },
    },
    stats,
  );
}

const found = (links: HardLinks, name: string) =>
  links.find(parseMemberPath(name), statSync(join(folder, name), { bigint: true }));

function put(name: string, ...others: readonly string[]): void {
  writeFileSync(join(folder, name), 'content');
  for (const other of others) linkSync(join(folder, name), join(folder, other));
}

it('knows the first name of a file, unless that was written to since', () => {
  put('a', 'b', 'c');
  put('alone');
  const links = new HardLinks(new RecordingLog());
  expect(found(links, 'a')).toBeUndefined();
  remembered(links, 'a');
  remembered(links, 'alone');
  expect(found(links, 'b')).toMatchObject({ path: 'b', linkTo: 'a', stored: { to: 9 } });
  expect(found(links, 'alone')).toBeUndefined();
  utimesSync(join(folder, 'a'), 1, 1);
  expect(found(links, 'c')).toBeUndefined();
});

it('remembers so many files, until all their names have come, and tells of more once', () => {
  put('a', 'a2');
  put('b', 'b2');
  put('c', 'c2');
  const log = new RecordingLog();
  const links = new HardLinks(log, 1);
  remembered(links, 'a');
  expect(found(links, 'a2')).toBeDefined();
  remembered(links, 'b');
  expect(log.lines).toEqual([]);
  for (const name of ['c', 'c2']) remembered(links, name);
  expect(found(links, 'c2')).toBeUndefined();
  expect(found(links, 'b2')).toBeDefined();
  expect(log.at('warn')).toHaveLength(1);
});

it('names owners as the files of the machine do, the first name of an id', () => {
  writeFileSync(
    join(folder, 'users'),
    'root:x:0:0:root:/root:/bin/sh\nbad\n:x:7:\ntoor:x:0:0\nzoe:x:1000:1000::\n',
  );
  writeFileSync(join(folder, 'groups'), `wheel:x:0:\n${'g'.repeat(300)}:x:5:\n`);
  const names = new OwnerNames(join(folder, 'users'), join(folder, 'groups'));
  expect(names.of({ uid: 0, gid: 0 })).toEqual({ user: 'root', group: 'wheel' });
  expect(names.of({ uid: 1000, gid: 5 })).toEqual({ user: 'zoe' });
  expect(new OwnerNames(join(folder, 'none'), join(folder, 'none')).of({ uid: 0, gid: 0 })).toEqual({});
});
