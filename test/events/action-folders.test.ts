import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage } from './action-stage.ts';

await withS3Server((server) => {
  describe('a mapped folder', () => {
    it('is made, unless it was known: then its disk is missing', async () => {
      const stage = await ActionStage.start(server, { sync: [['', 'new/deep']] });
      expect(stage.files('new')).toEqual(['deep/']);
      await stage.close();
      const missing = { code: 'STORE_MISSING', hint: expect.stringContaining('Mount') };
      renameSync(stage.path('new/deep'), stage.path('away'));
      await expect(stage.open({ sync: [['', 'new/deep']] })).rejects.toMatchObject(missing);
      mkdirSync(stage.path('new/deep'));
      await expect(stage.open({ sync: [['', 'new/deep']] })).rejects.toMatchObject(missing);
      expect(stage.files('new/deep')).toEqual([]);
      rmSync(stage.path('new/deep'), { recursive: true });
      renameSync(stage.path('away'), stage.path('new/deep'));
      await stage.open({ sync: [['', 'new/deep']] });
    });

    it('that goes while we run is trouble that passes: nothing is taken for removed', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f');
      await stage.created('f');
      await stage.delete('f');
      renameSync(stage.path('in'), stage.path('away'));
      mkdirSync(stage.path('in'));
      const missing = { code: 'STORE_MISSING', retryable: true };
      await expect(stage.removed('f')).rejects.toMatchObject(missing);
      await expect(stage.created('g')).rejects.toMatchObject(missing);
      rmSync(stage.path('in'), { recursive: true });
      renameSync(stage.path('away'), stage.path('in'));
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
    });

    it('that a key had before another one keeps its file, and that is told', async () => {
      const stage = await ActionStage.start(server, { sync: [['', 'old']] });
      for (const key of ['f', 'd/']) await stage.put(key);
      for (const key of ['f', 'd/']) await stage.created(key);
      await stage.open({ sync: [['', 'new']] });
      for (const key of ['f', 'd/']) expect(await stage.created(key)).toMatchObject({ outcome: 'written' });
      expect(stage.files('old')).toEqual(['d/', 'f']);
      const told = stage.logged.filter(({ message }) => message.endsWith('the old file stays'));
      expect(told.map(({ fields }) => fields)).toEqual([
        {
          message: 'm',
          attempt: 1,
          bucket: stage.bucket,
          key: 'f',
          file: stage.path('old/f'),
        },
        {
          message: 'm',
          attempt: 1,
          bucket: stage.bucket,
          key: 'd/',
          file: stage.path('old/d'),
        },
      ]);
    });

    it('must be one, and no symlink to nowhere', async () => {
      const stage = await ActionStage.start(server);
      writeFileSync(stage.path('file'), '');
      symlinkSync(stage.path('nowhere'), stage.path('dangling'));
      for (const folder of ['file', 'dangling'])
        await expect(stage.open({ sync: [['', folder]] })).rejects.toMatchObject({ code: 'STORE_MISSING' });
    });

    it('may be reached through a symlink, and be named twice', async () => {
      const stage = await ActionStage.start(server);
      symlinkSync(stage.path('in'), stage.path('link'));
      await stage.open({
        sync: [
          ['a/', 'in'],
          ['b/', 'link'],
        ],
      });
      for (const key of ['a/f', 'b/f', 'b/g']) await stage.put(key);
      expect(await stage.created('a/f')).toMatchObject({ outcome: 'written' });
      expect(await stage.created('b/f')).toMatchObject({ outcome: 'parked', code: 'PATH_CONFLICT' });
      expect(await stage.created('b/g')).toMatchObject({ outcome: 'written' });
      expect(stage.files()).toEqual(['f', 'g']);
    });

    it('keeps some of its disk free', async () => {
      const stage = await ActionStage.start(server, { minFreeBytes: 2 ** 60 });
      await stage.put('f');
      await expect(stage.created('f')).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    });

    it('is left alone by a dry run', async () => {
      const stage = await ActionStage.start(server);
      for (const key of ['f', 'd/']) {
        await stage.put(key);
        await stage.created(key);
        await stage.delete(key);
      }
      await stage.put('g');
      await stage.open({
        sync: [
          ['', 'in'],
          ['x/', 'unmade'],
        ],
        dryRun: true,
      });
      expect(await stage.created('g')).toMatchObject({ outcome: 'written' });
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      expect(await stage.removed('d/')).toEqual({ outcome: 'removed' });
      await stage.put('x/y');
      expect(await stage.created('x/y')).toMatchObject({ outcome: 'written' });
      expect(stage.files()).toEqual(['d/', 'f']);
      expect(stage.files('.')).not.toContain('unmade/');
      expect([...stage.state.list(stage.bucket, '')].map(({ key }) => key)).toEqual(['d/', 'f']);
    });
  });

  it('gives files to the owner that is asked for', async ({ skip }) => {
    skip(process.getuid?.() !== 0, 'only root gives files away');
    const stage = await ActionStage.start(server, { owner: { uid: 12_345, gid: 54_321 }, mode: 0o640 });
    await stage.put('d/f');
    await stage.put('d/large', Buffer.alloc(2_000_000));
    for (const key of ['d/f', 'd/large']) await stage.created(key);
    for (const path of ['in', 'in/d', 'in/d/f', 'in/d/large'])
      expect(statSync(stage.path(path))).toMatchObject({ uid: 12_345, gid: 54_321 });
    expect(statSync(stage.path('in/d/large')).mode & 0o777).toBe(0o640);
  });
});
