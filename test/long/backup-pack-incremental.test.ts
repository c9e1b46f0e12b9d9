import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkContents, jobOf, LARGE, packed, PackStage } from '../backup/packing.ts';

const stage = PackStage.use();

describe('an incremental backup', () => {
  it('stores what has changed, and points to the rest', async () => {
    stage.fill();
    const full = await packed(stage.job(), 1);
    stage.put('a/small', 'hullo');
    stage.put('new', 'new');
    unlinkSync(join(stage.data, 'setuid'));
    symlinkSync('a', join(stage.data, 'link2'));
    const second = await packed(stage.job(), 2, { on: full });
    expect(stage.membersOf(second)).toEqual(['/', '/a/small', '/link2', '/new']);
    expect(second.needs).toEqual(new Set([1, 2]));
    expect(stage.record(second, 'setuid')).toBeUndefined();
    expect(stage.file(second, 'large')).toEqual(stage.file(full, 'large'));
    expect(second.counts).toMatchObject({ files: 7, storedFiles: 2, storedBytes: 8 });
    await checkContents(second.list, [full, second], 'zstd');
    const third = await packed(stage.job(), 3, { on: second });
    expect(stage.membersOf(third)).toEqual([]);
    expect(third.needs).toEqual(new Set([1, 2, 3]));
    await checkContents(third.list, [full, second, third], 'zstd');
  });

  it('reads a file again whose ctime alone has changed, and stores no bytes', async () => {
    stage.put('small');
    stage.put('large', randomBytes(LARGE));
    const full = await packed(stage.job(), 1);
    for (const path of ['small', 'large']) chmodSync(join(stage.data, path), 0o664);
    const second = await packed(stage.job(), 2, { on: full });
    expect(second.counts).toMatchObject({ storedFiles: 0 });
    for (const path of ['small', 'large']) {
      const [before, after] = [stage.file(full, path), stage.file(second, path)];
      expect(after).toMatchObject({ mode: 0o664, stored: before.stored, sha256: before.sha256 });
      expect(after.seen!.ctimeNs).toBeGreaterThan(before.seen!.ctimeNs);
    }
  });

  it.each([20, LARGE])('finds other %d bytes under the old times when it is told to look', async (size) => {
    const [before, after] = [randomBytes(size), randomBytes(size)];
    const path = stage.put('file', before);
    utimesSync(path, 1000, 1000);
    const full = await packed(stage.job(), 1);
    // As a disk that rots would: the record says just what the file says.
    writeFileSync(path, after);
    utimesSync(path, 1000, 1000);
    const { ctimeNs } = statSync(path, { bigint: true });
    const lines = readFileSync(full.listFile, 'utf8');
    writeFileSync(
      full.listFile,
      lines.replaceAll(String(stage.file(full, 'file').seen!.ctimeNs), String(ctimeNs)),
    );
    expect(stage.file(await packed(stage.job(), 2, { on: full }), 'file').stored.archive).toBe(1);
    const told = await packed(stage.job(), 3, { on: full, isRehash: true });
    expect(stage.file(told, 'file').stored.archive).toBe(3);
    await checkContents(told.list, [full, told], 'zstd');
  });

  it('stores a file anew that has another inode or time', async () => {
    const path = stage.put('file', 'same');
    utimesSync(path, 1000, 1000);
    const full = await packed(stage.job(), 1);
    stage.put('file.new', 'same');
    renameSync(join(stage.data, 'file.new'), path);
    utimesSync(path, 1000, 1000);
    const second = await packed(stage.job(), 2, { on: full });
    expect(stage.file(second, 'file').stored.archive).toBe(2);
    utimesSync(path, 2000, 2000);
    expect(stage.file(await packed(stage.job(), 3, { on: second }), 'file').stored.archive).toBe(3);
  });

  it('reads again what was written to just before', async () => {
    stage.put('file');
    const full = await packed(stage.job(), 1, {}, Date.now);
    expect(stage.file(full, 'file')).not.toHaveProperty('seen');
    const second = await packed(stage.job(), 2, { on: full });
    expect(stage.file(second, 'file')).toMatchObject({ stored: { archive: 1 }, seen: {} });
  });

  it('links to what it has itself, and only to that', async () => {
    stage.put('a', 'content');
    stage.put('c', 'other');
    const full = await packed(stage.job(), 1);
    linkSync(join(stage.data, 'a'), join(stage.data, 'b'));
    appendFileSync(join(stage.data, 'c'), '!');
    linkSync(join(stage.data, 'c'), join(stage.data, 'd'));
    const second = await packed(stage.job(), 2, { on: full });
    expect(stage.membersOf(second)).toEqual(['/', '/c', '/d']);
    expect(stage.file(second, 'b')).toMatchObject({ linkTo: stage.at('a'), stored: { archive: 1 } });
    expect(stage.file(second, 'd')).toMatchObject({ linkTo: stage.at('c'), stored: { archive: 2 } });
    await checkContents(second.list, [full, second], 'zstd');
  });

  it('takes what a command prints the same way again from the base', async () => {
    const sources = [
      { kind: 'command', command: ['seq', '100000'], as: 'numbers', allowEmpty: false },
    ] as const;
    const full = await packed(jobOf(stage.state, sources), 1);
    const second = await packed(jobOf(stage.state, sources), 2, { on: full });
    expect(second.list[0]).toMatchObject({ stored: { archive: 1 } });
  });

  it('tells when files or bytes are down by half', async () => {
    for (const path of ['1', '2', '3', '4']) stage.put(path, 'x');
    const full = await packed(stage.job(), 1);
    expect(full.isShrunk).toBe(false);
    unlinkSync(join(stage.data, '1'));
    const second = await packed(stage.job(), 2, { on: full });
    expect(second.isShrunk).toBe(false);
    unlinkSync(join(stage.data, '2'));
    stage.put('3', 'as many bytes as before');
    const third = await packed(stage.job(), 3, { on: full });
    expect(third.isShrunk).toBe(true);
    expect(third.log.at('warn')).toHaveLength(1);
  });

  it('refuses a base that points to what is not older', async () => {
    stage.put('x');
    const full = await packed(stage.job(), 2);
    await expect(
      packed(stage.job(), 2, { on: { ...full, version: 1 }, listFile: join(stage.state, 'other') }),
    ).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
  });
});
