import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { ActionStage } from './action-stage.ts';

await withS3Server((server) => {
  describe('a file whose writer was killed before the state knew it', () => {
    it('goes with its object all the same', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('new');
      await killedIn(stage, 'new');
      await stage.open();
      await stage.delete('new');
      expect(await stage.removed('new')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual([]);
    });

    it('goes also where an earlier version of it was known', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('old', 'first');
      await stage.created('old');
      await stage.put('old', 'the second');
      await killedIn(stage, 'old');
      await stage.open();
      await stage.delete('old');
      expect(await stage.removed('old')).toEqual({ outcome: 'removed' });
      expect(stage.files()).toEqual([]);
    });

    it('is told as changed also by the next try of the same process', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('told');
      let isFull = true;
      await stage.open({
        changed: async (path) => {
          if (isFull) throw new IsyncError('STORE_FULL', 'full');
          stage.changed.push(path);
        },
      });
      await expect(stage.created('told')).rejects.toThrow('full');
      isFull = false;
      expect(await stage.created('told')).toEqual({ outcome: 'unchanged' });
      expect(stage.changed).toEqual([stage.path('in/told')]);
      expect(stage.state.pending()).toEqual([]);
    });

    it('is told as changed', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('told');
      await killedIn(stage, 'told');
      stage.changed.length = 0;
      await stage.open();
      expect(stage.changed).toEqual(['in/told']);
      expect(await stage.created('told')).toEqual({ outcome: 'unchanged' });
    });
  });

  it('what a killed process only meant to write is not taken for its own', async () => {
    const stage = await ActionStage.start(server);
    await stage.put('key', 'of the bucket');
    await stage.created('key');
    const known = stage.state.get(stage.bucket, 'key');
    await stage.state.remove(stage.bucket, 'key');
    await stage.state.setPending({ ...known!, size: 99, etag: 'another' });
    await stage.open();
    expect(stage.state.get(stage.bucket, 'key')).toBeUndefined();
    expect(stage.state.pending()).toEqual([]);
  });

  it('what has the size and time of the version before is not taken for the new one', async () => {
    const stage = await ActionStage.start(server);
    await stage.put('key', 'first');
    await stage.created('key');
    const known = stage.state.get(stage.bucket, 'key');
    await stage.state.setPending({ ...known!, etag: 'of others in the same second' });
    await stage.open();
    expect(stage.state.get(stage.bucket, 'key')).toEqual(known);
    expect(stage.state.pending()).toEqual([]);
  });
});

/** Follows `key`, and ends where a kill might: the file has its name, and the state does not hear of it. */
async function killedIn(stage: ActionStage, key: string): Promise<void> {
  stage.state.set = () => Promise.reject(new IsyncError('STORE_FAILED', 'killed'));
  stage.state.removePending = () => Promise.resolve();
  await expect(stage.created(key)).rejects.toThrow('killed');
  Reflect.deleteProperty(stage.state, 'set');
  Reflect.deleteProperty(stage.state, 'removePending');
}
