import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import { FRAME_BYTES } from '../../src/backup/pack/frames.ts';
import { restoreOne } from '../../src/backup/restore/restore-one.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { type MadeBackup, makeBackup, membersOf } from '../backup/made-backup.ts';
import { MemoryTarget } from '../backup/memory-target.ts';
import { contextOf, differences, file, makeSource, newFolder, restored } from '../backup/restoring.ts';

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
    const none = join(newFolder(), 'none');
    await expect(restored(target, made, none)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    expect(existsSync(none)).toBe(false);
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
    expect(readdirSync(to, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
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
