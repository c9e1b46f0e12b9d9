import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { ActionStage, answerGets } from './action-stage.ts';

await withS3Server((server) => {
  describe('nothing half is seen', () => {
    it('where an answer is cut', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', 'first');
      await stage.created('f');
      for (const size of [200_000, 3_000_000]) {
        await stage.put('f', Buffer.alloc(size, 'x'));
        stage.front.cutBody = ({ method }) => (method === 'GET' ? 100_000 : undefined);
        await expect(stage.created('f')).rejects.toMatchObject({ code: 'UNREACHABLE', retryable: true });
        expect(stage.read('in/f')).toBe('first');
      }
      stage.front.cutBody = undefined;
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 3_000_000 });
    });

    it('where bytes are damaged on their way', async () => {
      const stage = await ActionStage.start(server);
      const etag = await stage.put('f', 'right');
      answerGets(stage, {
        status: 200,
        code: '',
        body: 'wrong',
        headers: { etag: `"${etag}"`, 'last-modified': new Date().toUTCString(), 'content-length': '5' },
      });
      await expect(stage.created('f')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', retryable: false });
      // Nothing is about to be written any more.
      expect(stage.state.pending()).toEqual([]);
      const sha256 = 'LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=';
      answerGets(stage, {
        status: 200,
        code: '',
        body: 'foO',
        headers: {
          etag: '"x-2"',
          'last-modified': new Date().toUTCString(),
          'content-length': '3',
          'x-amz-checksum-sha256': sha256,
        },
      });
      await expect(stage.created('f')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', retryable: false });
      expect(stage.files()).toEqual([]);
      answerGets(stage, {
        status: 200,
        code: '',
        body: 'foo',
        headers: {
          etag: '"x-2"',
          'last-modified': new Date().toUTCString(),
          'content-length': '3',
          'x-amz-checksum-sha256': sha256,
        },
      });
      expect(await stage.created('f')).toEqual({ outcome: 'written', bytes: 3 });
    });

    it('where the signal fires', async () => {
      const stage = await ActionStage.start(server);
      await stage.put('f', Buffer.alloc(5_000_000));
      const stop = new AbortController();
      const reason = new Error('enough');
      stage.front.holdBody = ({ method }) => {
        if (method !== 'GET') return undefined;
        stop.abort(reason);
        return new Promise(() => {});
      };
      await expect(stage.created('f', { signal: stop.signal })).rejects.toBe(reason);
      expect(stage.files()).toEqual([]);
      writeFileSync(stage.path('in/f'), 'mine');
      await expect(stage.created('f', { signal: stop.signal })).rejects.toBe(reason);
    });
  });
});
