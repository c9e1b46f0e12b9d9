import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { makeBackup, type Member } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';
import { file, newFolder, restored } from './restoring.ts';

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
    for (const { path, content } of members.filter((each) => existsSync(join(to, each.path))))
      expect(readFileSync(join(to, path)).equals(content!)).toBe(true);
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

  it.each([
    ['leads out of the folder', ['../evil', 'a']],
    ['leads out of it later', ['a', 'b/../../evil']],
    ['is absolute', ['/tmp/evil', 'a']],
    ['comes twice', ['a', 'a']],
    ['lies below a symlink', ['l', 'l/evil']],
  ])('is refused as a whole where a path %s', async (_, paths) => {
    const target = new MemoryTarget();
    const outside = newFolder();
    const made = await makeBackup({
      target,
      members: [file('a'), { path: 'l', type: 'symlink', target: outside }],
      forge: (records) =>
        paths.map((path) => {
          const [one, other] = records;
          return { ...(path === 'l' ? other! : one!), path: path as FileRecord['path'] };
        }),
    });
    const to = join(newFolder(), 'to');
    await expect(restored(target, made, to)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    expect(existsSync(to)).toBe(false);
    expect(readdirSync(outside)).toEqual([]);
  });

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
    expect(readdirSync(to)).toEqual([]);
  });
});
