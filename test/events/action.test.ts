import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { HeadObjectCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage } from './action-stage.ts';

await withS3Server((server) => {
  describe('a created object', () => {
    it('becomes a file with its bytes, its time and the mode, and is known', async () => {
      const stage = await ActionStage.start(server, { sync: [['web/', 'site']] });
      const etag = await stage.put('web/a/b.html', 'hello');
      const outcome = await stage.created('web/a/b.html', { sequencer: '05' });
      expect(outcome).toEqual({ outcome: 'written', bytes: 5 });
      expect(stage.read('site/a/b.html')).toBe('hello');
      const head = await server.client.send(
        new HeadObjectCommand({ Bucket: stage.bucket, Key: 'web/a/b.html' }),
      );
      const { mtimeMs, mode } = statSync(stage.path('site/a/b.html'));
      expect(mtimeMs).toBe(head.LastModified!.getTime());
      expect(mode & 0o777).toBe(0o644);
      expect(stage.state.get(stage.bucket, 'web/a/b.html')).toMatchObject({
        kind: 'file',
        folder: stage.path('site'),
        path: 'a/b.html',
        etag,
        size: 5,
        sequencer: '05',
      });
      expect(stage.changed).toEqual(['site/a/b.html']);
    });

    it('is not sent again while the file is the same, and is once that was changed', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', 'first');
      await stage.created('f');
      expect(await stage.created('f')).toEqual({ outcome: 'unchanged' });
      expect(stage.front.answered.at(-1)!.status).toBe(304);
      writeFileSync(stage.path('in/f'), 'other');
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 5 });
      expect(stage.read('in/f')).toBe('first');
      await stage.put('f', 'second version');
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 14 });
      expect(stage.read('in/f')).toBe('second version');
    });

    it('replaces also what the rule about damage would keep', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', 'longer');
      await stage.created('f');
      const { mtime } = statSync(stage.path('in/f'));
      await stage.put('f', Buffer.alloc(4));
      const head = await server.client.send(new HeadObjectCommand({ Bucket: stage.bucket, Key: 'f' }));
      utimesSync(stage.path('in/f'), mtime, head.LastModified!);
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 4 });
      expect(readFileSync(stage.path('in/f'))).toEqual(Buffer.alloc(4));
    });

    it('may be empty, of any name, and is given the mode that is asked for', async () => {
      const stage = await ActionStage.start(server, { mode: 0o600 });
      for (const key of ['empty', 'ä/á 😀', 'a+b %2F'])
        expect(await stage.put(key, key === 'empty' ? '' : key).then(() => stage.created(key))).toMatchObject(
          {
            outcome: 'written',
          },
        );
      expect(stage.files()).toEqual(['a+b %2F', 'empty', 'ä/', 'ä/á 😀']);
      expect(statSync(stage.path('in/empty')).mode & 0o777).toBe(0o600);
    });

    it('that is not there yet is missing, and gone at the last look', async () => {
      const stage = await ActionStage.start(server);
      expect(await stage.created('f')).toEqual({ outcome: 'missing' });
      await stage.put('f');
      await stage.created('f');
      await stage.delete('f');
      expect(await stage.created('f')).toEqual({ outcome: 'missing' });
      expect(stage.files()).toEqual(['f']);
      expect(await stage.created('f', { isLastLook: true })).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual([]);
    });

    it('of many parts has no MD5 and is written all the same', async () => {
      const stage = await ActionStage.start(server);
      const parts = [Buffer.alloc(5 * 1024 * 1024, 'a'), Buffer.from('end')];
      await stage.putParts('f', parts);
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 5 * 1024 * 1024 + 3 });
      expect(readFileSync(stage.path('in/f')).equals(Buffer.concat(parts))).toBe(true);
      expect(await stage.created('f')).toEqual({ outcome: 'unchanged' });
    });
  });

  describe('a removed object', () => {
    it('takes its file along, and the folders that this leaves empty, but not a mapped one', async () => {
      const stage = await ActionStage.start(server, {
        sync: [
          ['a/', 'in'],
          ['b/', 'in/inner/deep'],
        ],
      });
      for (const key of ['a/x/y/f', 'a/x/g', 'b/h', 'a/inner/i']) {
        await stage.put(key);
        await stage.created(key);
        await stage.delete(key);
      }
      expect(await stage.removed('a/x/y/f')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['inner/', 'inner/deep/', 'inner/deep/h', 'inner/i', 'x/', 'x/g']);
      for (const key of ['a/x/g', 'b/h', 'a/inner/i'])
        expect(await stage.removed(key)).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['inner/', 'inner/deep/']);
      expect(stage.state.count(stage.bucket, '')).toBe(0);
      expect(stage.changed).toHaveLength(8);
    });

    it('that is there again is written', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', 'again');
      expect(await stage.removed('f')).toEqual({ outcome: 'written', bytes: 5 });
    });

    it('leaves what isync did not write, and what somebody changed since', async () => {
      const stage = await ActionStage.start(server);
      writeFileSync(stage.path('in/mine'), 'mine');
      expect(await stage.removed('mine')).toEqual({ outcome: 'unchanged' });
      await stage.put('f');
      await stage.created('f');
      await stage.delete('f');
      writeFileSync(stage.path('in/f'), 'changed here');
      expect(await stage.removed('f')).toMatchObject({ outcome: 'parked', code: 'FILE_CHANGED' });
      expect(stage.read('in/f')).toBe('changed here');
      rmSync(stage.path('in/f'));
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
    });

    it('leaves its file where removals are not followed', async () => {
      const stage = await ActionStage.start(server, { removals: false });
      await stage.put('f');
      await stage.created('f');
      await stage.delete('f');
      expect(await stage.removed('f')).toEqual({ outcome: 'unchanged' });
      expect(stage.files()).toEqual(['f']);
      expect(stage.state.get(stage.bucket, 'f')).toBeDefined();
    });

    it('is one with a delete marker, not one with an old version less', async () => {
      const stage = await ActionStage.start(server);
      await server.client.send(
        new PutBucketVersioningCommand({
          Bucket: stage.bucket,
          VersioningConfiguration: { Status: 'Enabled' },
        }),
      );
      await stage.put('f', 'first');
      await stage.created('f');
      const first = stage.state.get(stage.bucket, 'f')!.versionId;
      expect(first).toBeTypeOf('string');
      await stage.put('f', 'second');
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 6 });
      await stage.delete('f', first);
      expect(await stage.removed('f', { versionId: first })).toEqual({ outcome: 'unchanged' });
      expect(stage.read('in/f')).toBe('second');
      await stage.delete('f');
      expect(await stage.removed('f')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual([]);
    });
  });

  describe('a key that ends with a slash', () => {
    it('makes a folder, which stays until its key has gone and it is empty', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('d/e/', '');
      await stage.put('d/e/f');
      expect(await stage.created('d/e/')).toEqual({ outcome: 'written', bytes: 0 });
      expect(await stage.created('d/e/')).toEqual({ outcome: 'unchanged' });
      await stage.created('d/e/f');
      await stage.delete('d/e/f');
      await stage.removed('d/e/f');
      expect(stage.files()).toEqual(['d/', 'd/e/']);
      await stage.put('d/e/f');
      await stage.created('d/e/f');
      await stage.delete('d/e/');
      expect(await stage.removed('d/e/')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual(['d/', 'd/e/', 'd/e/f']);
      await stage.delete('d/e/f');
      await stage.removed('d/e/f');
      expect(stage.files()).toEqual([]);
      await stage.put('x/', '');
      await stage.created('x/');
      await stage.delete('x/');
      await stage.removed('x/');
      expect(stage.files()).toEqual([]);
    });
  });

  describe('a file that the state does not know', () => {
    it('is taken over where it has the bytes of the object, else replaced', async () => {
      const stage = await ActionStage.start(server);
      const etag = await stage.put('same', 'bytes');
      await stage.put('other', 'bytes');
      writeFileSync(stage.path('in/same'), 'bytes');
      writeFileSync(stage.path('in/other'), 'BYTES');
      expect(await stage.created('same')).toEqual({ outcome: 'unchanged' });
      expect(stage.state.get(stage.bucket, 'same')).toMatchObject({ etag, size: 5 });
      // No file has changed.
      expect(stage.changed).toEqual([]);
      expect(await stage.created('other')).toEqual({ outcome: 'written', bytes: 5 });
      expect(stage.read('in/other')).toBe('bytes');
      await stage.delete('same');
      expect(await stage.removed('same')).toEqual({ outcome: 'removed' });
    });

    it('is taken over by size and time where the object has no MD5', async () => {
      const stage = await ActionStage.start(server);
      await stage.putParts('f', [Buffer.from('one part')]);
      await stage.created('f');
      await stage.state.remove(stage.bucket, 'f');
      const { ino } = statSync(stage.path('in/f'));
      expect(await stage.created('f')).toEqual({ outcome: 'unchanged' });
      expect(statSync(stage.path('in/f')).ino).toBe(ino);
      await stage.state.remove(stage.bucket, 'f');
      utimesSync(stage.path('in/f'), 1, 1);
      expect(await stage.created('f')).toMatchObject({ outcome: 'written' });
    });
  });
});
