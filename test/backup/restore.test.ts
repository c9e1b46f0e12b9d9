import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, describe, expect, it } from 'vitest';

import { lacks } from '../../harness/tools.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import { FRAME_BYTES } from '../../src/backup/pack/frames.ts';
import type { ReadContext } from '../../src/backup/read/read-context.ts';
import { restoreOne } from '../../src/backup/restore/restore-one.ts';
import { restore, type Restored, type RestoreRequest } from '../../src/backup/restore/restore.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { type MadeBackup, makeBackup, type Member, membersOf } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((each) => rmSync(each, { recursive: true })));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'isync-restore-'));
  folders.push(folder);
  return folder;
}

function contextOf(target: MemoryTarget, more: Partial<ReadContext> = {}): ReadContext {
  return { target, decryption: undefined, log: new RecordingLog(), ...more };
}

async function restored(
  target: MemoryTarget,
  { manifest }: MadeBackup,
  to: string,
  { context, ...more }: Partial<RestoreRequest> = {},
): Promise<Restored> {
  const given = { manifest, to, globs: [], isReplace: false, isResume: false, ...more };
  return await restore({ ...given, context: context ?? contextOf(target) });
}

const file = (path: string, content: string | Buffer = path): Member => ({
  path,
  content: Buffer.from(content),
});

/** A folder with one of each kind. */
function makeSource(): string {
  const source = join(newFolder(), 'src');
  mkdirSync(join(source, 'a/deep/er'), { recursive: true });
  mkdirSync(join(source, 'empty'));
  for (let at = 0; at < 300; at++) writeFileSync(join(source, `a/f${at}`), randomBytes(at * 37));
  writeFileSync(join(source, 'a/deep/er/large'), randomBytes(2 * FRAME_BYTES + 12_345));
  writeFileSync(join(source, 'a/deep/none'), '');
  writeFileSync(join(source, 'secret'), 'x', { mode: 0o400 });
  writeFileSync(join(source, 'program'), 'x');
  execFileSync('chmod', ['6755', join(source, 'program')]);
  writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), 'latin');
  linkSync(join(source, 'a/f7'), join(source, 'z-same'));
  symlinkSync('../a/f7', join(source, 'a/points'));
  symlinkSync('/nowhere/at all', join(source, 'dangling'));
  symlinkSync('a', join(source, 'b'));
  utimesSync(join(source, 'a/deep/none'), '-5.5', '-5.5');
  execFileSync('touch', ['-h', '-d', '2001-02-03 04:05:06.999999999', join(source, 'dangling')]);
  execFileSync('touch', ['-d', '1999-12-31 23:59:59.999999999', join(source, 'program')]);
  execFileSync('chmod', ['500', join(source, 'a/deep')]);
  utimesSync(join(source, 'empty'), 1e9, 1e9);
  utimesSync(join(source, 'a'), 1e9 + 1, 1e9 + 1);
  return source;
}

/** What rsync would change to make the one what the other is. */
function differences(one: string, other: string): string {
  return execFileSync('rsync', ['-anicH', '--delete', `${one}/`, `${other}/`], { encoding: 'utf8' });
}

describe.skipIf(lacks('rsync'))('a restored backup', () => {
  it.each(['zstd', 'gzip', 'none'] as const)(
    'is what was backed up, from a full one of %s',
    async (compress) => {
      const source = makeSource();
      const target = new MemoryTarget();
      const made = await makeBackup({ target, members: await membersOf(source), compress });
      target.calls.length = 0;
      const to = join(newFolder(), 'back');
      const { isComplete, tally } = await restored(target, made, to);
      expect([isComplete, tally.firstProblems]).toEqual([true, []]);
      expect(differences(source, join(to, source))).toBe('');
      expect(readdirSync(to)).toEqual([source.split('/')[1]]);
      // List and archive, and how the archive begins; the content with few more.
      expect(target.calls.length).toBeLessThan(12);
    },
  );

  it('is the same from a chain of five, encrypted', async () => {
    const source = makeSource();
    const target = new MemoryTarget();
    const identity = await generateIdentity();
    const encryption = createEncryption([await identityToRecipient(identity)]);
    let made = await makeBackup({ target, members: await membersOf(source), encryption });
    for (let version = 2; version <= 5; version++) {
      writeFileSync(join(source, `a/f${version * 20}`), randomBytes(50_000));
      writeFileSync(join(source, `a/new${version}`), `new ${version}`);
      rmSync(join(source, `a/f${version}`));
      const compress = version === 3 ? 'none' : 'zstd';
      made = await makeBackup({
        target,
        members: await membersOf(source),
        encryption,
        base: made,
        version,
        compress,
      });
    }
    expect(made.manifest.needs).toHaveLength(5);
    const to = newFolder();
    const context = contextOf(target, { decryption: createDecryption(identity) });
    const { tally } = await restored(target, made, to, { context });
    expect(tally.firstProblems).toEqual([]);
    expect(differences(source, join(to, source))).toBe('');
    // Without a key.
    await expect(restored(target, made, newFolder())).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });
});

describe('a restore', () => {
  it('fetches little for one file of many', async () => {
    const target = new MemoryTarget();
    const large = Array.from({ length: 10 }, (_, at) => file(`srv/${at}`, randomBytes(2 * FRAME_BYTES)));
    const made = await makeBackup({ target, members: [...large, file('srv/5-small', randomBytes(10_240))] });
    target.calls.length = 0;
    const to = newFolder();
    await restored(target, made, to, { globs: ['5-small'] });
    expect(readdirSync(join(to, 'srv'))).toEqual(['5-small']);
    const fetched = target.calls.flatMap((call) => {
      const [, start, end] = /^range (\d+)-(\d+) /.exec(call) ?? [];
      return start === undefined ? [] : [Number(end) - Number(start)];
    });
    expect(fetched.reduce((sum, each) => sum + each, 0)).toBeLessThan(3 * FRAME_BYTES);
  });

  it('takes folders and globs, and makes a link a file where what it links to is left out', async () => {
    const target = new MemoryTarget();
    const members = [
      { path: 'srv', type: 'directory', mode: 0o700 } as const,
      file('srv/a.conf'),
      file('srv/a.txt', 'content'),
      { ...file('srv/z', 'content'), linkTo: 'srv/a.txt' },
      { path: 'var', type: 'directory' } as const,
      file('var/x/y'),
    ];
    const made = await makeBackup({ target, members });
    const to = newFolder();
    await restored(target, made, to, { globs: ['*.conf', '/var', 'srv/z'] });
    expect(readdirSync(to, { recursive: true }).toSorted()).toEqual([
      'srv',
      'srv/a.conf',
      'srv/z',
      'var',
      'var/x',
      'var/x/y',
    ]);
    expect(readFileSync(join(to, 'srv/z'), 'utf8')).toBe('content');
    const none = join(newFolder(), 'none');
    await expect(restored(target, made, none, { globs: ['nothing'] })).rejects.toMatchObject({
      code: 'USAGE',
    });
    expect(existsSync(none)).toBe(false);
  });

  it('makes holes of zeros', async () => {
    const target = new MemoryTarget();
    const content = Buffer.alloc(3 * FRAME_BYTES);
    content.write('begin');
    content.write('middle', FRAME_BYTES + 5001);
    const members = [file('a', 'before'), file('sparse', content), file('zeros', Buffer.alloc(1_000_001))];
    const to = newFolder();
    await restored(target, await makeBackup({ target, members }), to);
    expect(readFileSync(join(to, 'sparse')).equals(content)).toBe(true);
    expect(readFileSync(join(to, 'zeros')).equals(Buffer.alloc(1_000_001))).toBe(true);
    expect(statSync(join(to, 'sparse')).blocks * 512).toBeLessThan(200_000);
    expect(statSync(join(to, 'zeros')).blocks * 512).toBeLessThan(100_000);
  });

  it('gives one file to a pipe, and says when it is damaged', async () => {
    const target = new MemoryTarget();
    const content = randomBytes(FRAME_BYTES + 77);
    const made = await makeBackup({
      target,
      members: [file('srv/a', content), file('srv/b', '')],
      compress: 'none',
    });
    const read = async (path: string): Promise<Buffer> => {
      const pieces: Uint8Array[] = [];
      for await (const piece of restoreOne(contextOf(target), made.manifest, path, tmpdir()))
        pieces.push(piece);
      return Buffer.concat(pieces);
    };
    expect((await read('/srv/a')).equals(content)).toBe(true);
    expect(await read('srv/b')).toHaveLength(0);
    await expect(read('srv')).rejects.toMatchObject({ code: 'USAGE' });
    target.objects.get(made.manifest.name)!.bytes[5000]! ^= 1;
    await expect(read('srv/a')).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('goes on where a connection broke', async () => {
    const target = new MemoryTarget();
    const made = await makeBackup({ target, members: [file('a', randomBytes(100_000)), file('b')] });
    let failures = 0;
    target.before = (call) => {
      if (call.startsWith('range') && failures++ % 2 === 0) throw new IsyncError('LINK_LOST', 'broken');
    };
    const to = newFolder();
    expect((await restored(target, made, to)).tally).toMatchObject({ files: 2, problems: 0 });
    expect(failures).toBeGreaterThan(2);
  });
});

describe('where a backup is restored to', () => {
  const made = async (target: MemoryTarget): Promise<MadeBackup> =>
    await makeBackup({
      target,
      members: [file('a/1'), file('a/2'), { path: 'l', type: 'symlink', target: 'a/1' }],
    });

  it('is empty, or replaced as a whole and kept', async () => {
    const target = new MemoryTarget();
    const backup = await made(target);
    const to = join(newFolder(), 'there');
    mkdirSync(to, { mode: 0o750 });
    writeFileSync(join(to, 'mine'), 'old');
    await expect(restored(target, backup, to)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
    expect(readdirSync(to)).toEqual(['mine']);
    const { keptAs } = await restored(target, backup, to, { isReplace: true });
    expect(readdirSync(to).toSorted()).toEqual(['a', 'l']);
    expect(statSync(to).mode & 0o777).toBe(0o750);
    expect(readFileSync(join(keptAs!, 'mine'), 'utf8')).toBe('old');
    const again = await restored(target, backup, to, { isReplace: true });
    expect(readdirSync(join(to, '..')).toSorted()).toEqual(['there', 'there.isync-old', 'there.isync-old-2']);
    expect(again.keptAs).toMatch(/-2$/);
  });

  it('is not replaced while something is missing, and is when it is resumed', async () => {
    const target = new MemoryTarget();
    const backup = await made(target);
    const to = join(newFolder(), 'there');
    mkdirSync(to);
    writeFileSync(join(to, 'mine'), 'old');
    const archive = target.objects.get(backup.manifest.name)!;
    target.objects.delete(backup.manifest.name);
    const { isComplete, tally, folder } = await restored(target, backup, to, { isReplace: true });
    expect([isComplete, tally.problems, folder]).toEqual([false, 2, `${to}.isync-restore`]);
    expect(readdirSync(to)).toEqual(['mine']);
    target.objects.set(backup.manifest.name, archive);
    await expect(restored(target, backup, to, { isReplace: true })).rejects.toMatchObject({
      code: 'PATH_CONFLICT',
    });
    const resumed = await restored(target, backup, to, { isReplace: true, isResume: true });
    expect(resumed).toMatchObject({ isComplete: true, folder: to, keptAs: `${to}.isync-old` });
    expect(readdirSync(to).toSorted()).toEqual(['a', 'l']);
  });

  it.skipIf(lacks('rsync'))(
    'is gone on with where it was interrupted: what is right stays, what is not is made again',
    async () => {
      const target = new MemoryTarget();
      const source = makeSource();
      const backup = await makeBackup({ target, members: await membersOf(source) });
      const to = newFolder();
      target.before = (call) => {
        if (call.startsWith('range') && !call.endsWith('.files'))
          throw new IsyncError('STORE_REFUSED', 'expired');
      };
      await expect(restored(target, backup, to)).rejects.toMatchObject({ code: 'STORE_REFUSED' });
      target.before = () => undefined;
      await expect(restored(target, backup, to)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      const other = { globs: ['other'], isResume: true };
      await expect(restored(target, backup, to, other)).rejects.toMatchObject({ code: 'PATH_CONFLICT' });
      const below = join(to, source);
      mkdirSync(join(below, 'a'), { recursive: true });
      writeFileSync(join(below, 'a/f1'), 'x'.repeat(37));
      writeFileSync(join(below, 'a/f2'), readFileSync(join(source, 'a/f2')));
      symlinkSync('/etc/passwd', join(below, 'a/f3'));
      symlinkSync('/etc', join(below, 'b'));
      // And the two files without content, which were made before anything was read.
      writeFileSync(join(below, 'dangling'), 'x');
      const { tally, isComplete } = await restored(target, backup, to, { isResume: true });
      expect([isComplete, tally.firstProblems, tally.resumed]).toEqual([true, [], 3]);
      expect(differences(source, below)).toBe('');
    },
  );

  it('may have been swapped already when it was killed', async () => {
    const target = new MemoryTarget();
    const backup = await made(target);
    const to = join(newFolder(), 'there');
    await restored(target, backup, to, { isReplace: true });
    const { name, list } = backup.manifest;
    const marker = { format: 1, name, list: list.sha256, globs: [] };
    writeFileSync(join(to, '.isync-restore'), JSON.stringify(marker));
    const { tally } = await restored(target, backup, to, { isReplace: true, isResume: true });
    expect(tally).toMatchObject({ resumed: 2, problems: 0 });
    expect(readdirSync(join(to, '..'))).toEqual(['there']);
    expect(readdirSync(to).toSorted()).toEqual(['a', 'l']);
  });
});

describe('a damaged or hostile backup', () => {
  it('gives all that can be read, and tells the rest', async () => {
    const target = new MemoryTarget();
    const members = Array.from({ length: 40 }, (_, at) => file(`f${at}`, randomBytes(400_000)));
    const made = await makeBackup({ target, members });
    const { bytes } = target.objects.get(made.manifest.name)!;
    bytes[Math.floor(bytes.length / 2)]! ^= 1;
    const to = newFolder();
    const { tally, isComplete } = await restored(target, made, to);
    expect(isComplete).toBe(false);
    // Those of one frame of 4 MiB.
    expect(tally.problems).toBeGreaterThan(0);
    expect(tally.problems).toBeLessThan(13);
    expect(tally.files).toBe(40 - tally.problems);
    for (const { path, error } of tally.firstProblems) {
      expect(error.code).toBe('BACKUP_DAMAGED');
      expect(existsSync(join(to, path))).toBe(false);
    }
    for (const { path, content } of members)
      if (existsSync(join(to, path))) expect(readFileSync(join(to, path)).equals(content!)).toBe(true);
  });

  it.each(['zstd', 'none'] as const)(
    'writes nothing outside, whatever a list of %s says',
    async (compress) => {
      const target = new MemoryTarget();
      const outside = newFolder();
      writeFileSync(join(outside, 'secret'), 'secret!');
      const members: Member[] = [
        file('a'),
        file('b', 'secret!'),
        { path: 'dir', type: 'symlink', target: outside },
        { ...file('link', 'secret!'), linkTo: 'b' },
        { path: '.isync-restore', content: Buffer.from('mine') },
      ];
      const made = await makeBackup({
        target,
        members,
        compress,
        // What a link leads to is not in the list, but would be found through a symlink.
        forge: (records) =>
          records.map((record) =>
            record.path === 'link' && record.type === 'file'
              ? { ...record, linkTo: 'dir/secret' as NonNullable<typeof record.linkTo> }
              : record,
          ),
      });
      const to = newFolder();
      const { tally } = await restored(target, made, to);
      expect(tally.firstProblems.map(({ path, error }) => [path, error.code])).toEqual([
        ['.isync-restore', 'BAD_PATH'],
        ['link', 'PATH_CONFLICT'],
      ]);
      expect(readdirSync(outside)).toEqual(['secret']);
      expect(statSync(join(outside, 'secret')).nlink).toBe(1);
      expect(lstatSync(join(to, 'dir')).isSymbolicLink()).toBe(true);
    },
  );

  it('has places that are not there, overlap, or lead to no archive', async () => {
    const target = new MemoryTarget();
    const made = await makeBackup({
      target,
      members: ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => file(name, randomBytes(1000))),
      forge: (records) =>
        records.map((record) => {
          if (record.type !== 'file') return record;
          const { stored, path } = record;
          if (path === 'b') return { ...record, stored: { ...stored, to: stored.to + 10_000 } };
          if (path === 'c') return { ...record, stored: { ...stored, archive: 7 } };
          if (path === 'd') return { ...record, stored: { ...stored, skip: 2 ** 50 } };
          if (path === 'e') return { ...record, size: 2 ** 40 };
          return record;
        }),
    });
    const { tally } = await restored(target, made, newFolder());
    expect(tally.files).toBe(2);
    expect(tally.firstProblems.map(({ path, error }) => `${path} ${error.code}`).toSorted()).toEqual(
      ['b', 'c', 'd', 'e'].map((path) => `${path} BACKUP_DAMAGED`),
    );
  });

  it.each([
    ['is missing', (target: MemoryTarget, key: string) => void target.objects.delete(key)],
    ['is changed', (target: MemoryTarget, key: string) => void (target.objects.get(key)!.bytes[9]! ^= 1)],
  ])('restores nothing where its list %s', async (_, damage) => {
    const target = new MemoryTarget();
    const made = await makeBackup({ target, members: [file('a')] });
    damage(target, made.manifest.list.key);
    const to = newFolder();
    await expect(restored(target, made, to)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(readdirSync(to)).toEqual(['.isync-restore']);
  });
});
