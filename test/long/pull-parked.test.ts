import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

await withS3Server((server) => {
  describe.concurrent('what isync pull has parked', () => {
    test('is listed, shown, taken again by the next run and dropped', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket });
      await stage.configure({ attempts: 1 });
      await stage.put('a/secret', 'was forbidden');
      front.refuse = () => ({ status: 403, code: 'AccessDenied' });
      await stage.queue.send([
        'not even JSON',
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/secret' }),
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/../../out' }),
      ]);
      expect((await stage.once()).summary).toMatchObject({ parked: 3 });
      expect(await stage.isDrained()).toBe(true);

      const lines = async () => (await stage.parked('list')).stdout.split('\n').filter(Boolean);
      const listed = await lines();
      expect(listed).toHaveLength(3);
      const idOf = (word: string) =>
        /[\w-]{8,}/.exec(listed.find((line) => line.includes(word)) ?? '')?.[0] ?? `no ${word}`;
      const shown = await stage.parked('show', idOf('out'));
      expect(shown.stdout).toContain('a/../../out');
      expect(shown.stdout).toContain('BAD_PATH');
      expect((await stage.parked('drop', idOf('out'))).exitCode).toBe(0);
      expect(await lines()).toHaveLength(2);
      expect((await stage.parked('show', 'no-such-id')).exitCode).toBe(2);

      front.refuse = undefined;
      expect((await stage.parked('replay', idOf('secret'))).exitCode).toBe(0);
      const again = await stage.once();
      expect(again.summary).toMatchObject({ written: 1 });
      expect(await textsBelow(stage.at('a'))).toEqual({ secret: 'was forbidden' });
      expect(await lines()).toHaveLength(1);
      expect((await stage.parked('drop', 'all')).exitCode).toBe(0);
      expect(await lines()).toEqual([]);
      expect(existsSync(stage.at('out'))).toBe(false);
    });
  });
});
