import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage } from './action-stage.ts';

await withS3Server((server) => {
  describe('what is in the way stays, and the record is parked', () => {
    const conflict = { outcome: 'parked', code: 'PATH_CONFLICT', hint: expect.any(String) };

    it('where a path belongs to another key, and comes free with it', async () => {
      const stage = await ActionStage.start(server, {
        sync: [
          ['a/', 'in'],
          ['cc/', 'in'],
        ],
      });
      await stage.put('a/f', 'of a');
      await stage.put('cc/f', 'of cc');
      const outcomes = await Promise.all([stage.created('a/f'), stage.created('cc/f')]);
      expect(outcomes).toEqual([{ outcome: 'written', bytes: 4 }, expect.objectContaining(conflict)]);
      expect(stage.read('in/f')).toBe('of a');
      await stage.delete('a/f');
      await expect(stage.created('cc/f')).rejects.toMatchObject({ code: 'BUSY', retryable: true });
      await stage.removed('a/f');
      expect(await stage.created('cc/f')).toEqual({ outcome: 'written', bytes: 5 });
    });

    it('where a file would be a folder, and the reverse', async () => {
      const stage = await ActionStage.start(server);
      for (const key of ['a', 'a/b', 'c/d', 'c', 'c/d/']) await stage.put(key);
      await stage.created('a');
      expect(await stage.created('a/b')).toMatchObject(conflict);
      await stage.created('c/d');
      expect(await stage.created('c')).toMatchObject(conflict);
      expect(await stage.created('c/d/')).toMatchObject(conflict);
      mkdirSync(stage.path('in/mine'));
      writeFileSync(stage.path('in/file'), 'mine');
      for (const key of ['mine', 'file/x']) await stage.put(key);
      expect(await stage.created('mine')).toMatchObject(conflict);
      expect(await stage.created('file/x')).toMatchObject(conflict);
      expect(stage.files()).toEqual(['a', 'c/', 'c/d', 'file', 'mine/']);
    });

    it('where a symlink is on the way, or at its end', async () => {
      const stage = await ActionStage.start(server);
      mkdirSync(stage.path('outside'));
      writeFileSync(stage.path('outside/f'), 'outside');
      symlinkSync(stage.path('outside'), stage.path('in/link'));
      symlinkSync(stage.path('outside/f'), stage.path('in/end'));
      for (const key of ['link/f', 'end']) {
        await stage.put(key);
        expect(await stage.created(key)).toMatchObject(conflict);
      }
      expect(stage.read('outside/f')).toBe('outside');
      expect(lstatSync(stage.path('in/end')).isSymbolicLink()).toBe(true);
    });

    it('where it is isync itself, also in a mapped folder inside', async () => {
      const stage = await ActionStage.start(server, {
        sync: [
          ['', 'in'],
          ['b/', 'in/inner'],
        ],
      });
      for (const key of ['inner/', 'x.isync', 'x/.isync/y']) {
        await stage.put(key);
        expect(await stage.created(key)).toMatchObject({ outcome: 'written' });
      }
      await stage.delete('inner/');
      expect(await stage.removed('inner/')).toEqual({ outcome: 'removed' });
      for (const key of ['.isync/store-id', 'inner/.isync/store-id', 'inner/.ISYNC/x', 'b/.isync/y']) {
        await stage.put(key);
        expect(await stage.created(key)).toMatchObject({ outcome: 'parked', code: 'BAD_PATH' });
      }
    });
  });
});
