import { mkdir, readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { startCopyStage } from '../../harness/copy-stage.ts';
import { SLOW_DOWN, startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f'];
/** More than a page of a listing, and than the events of a commit. */
const MANY = Array.from({ length: 1100 }, (_, index) => `k${String(index).padStart(5, '0')}`);
const PUTS_AT_ONCE = 16;

await withS3Server((server) => {
  describe('isync webhook resync', () => {
    test('stops at --max-delete with exit code 1, and queues all else', async () => {
      await using stage = await startCopyStage(server);
      const { from, to, put, list } = stage;
      for (const key of LETTERS) await put(to, key, key);
      await put(from, 'a', 'a');
      await put(from, 'new', 'new');
      const stopped = await stage.run('resync', '--json', '--max-delete', '50%');
      expect(stopped.exitCode).toBe(1);
      expect(JSON.parse(stopped.stdout)).toMatchObject({
        toRemove: 0,
        exitCode: 1,
        error: { code: 'RESYNC_STOPPED' },
      });
      expect(stopped.stderr).toContain('5 known keys, and at most 3');
      await stage.workOff();
      expect(Object.keys(await list(to))).toEqual([...LETTERS, 'new']);

      expect(await stage.run('resync', '--no-delete')).toMatchObject({ exitCode: 0 });
      await stage.workOff();
      expect(Object.keys(await list(to))).toEqual([...LETTERS, 'new']);

      expect(await stage.run('resync', '--max-delete', '5')).toMatchObject({ exitCode: 0 });
      await stage.workOff();
      expect(await list(to)).toEqual(await list(from));
    });

    test('follows only what is below the prefix of the copies', async () => {
      await using stage = await startCopyStage(server);
      const { from, to, put, list } = stage;
      await stage.configure({ to: `s3://${to}/copies`, maxDelete: '100%' });
      await put(from, 'a', 'a');
      for (const key of ['copies/gone', 'copiesother', 'elsewhere']) await put(to, key, key);
      expect((await stage.run('resync')).stdout).toContain('1 object to copy, 1 to remove');
      await stage.workOff();
      expect(Object.keys(await list(to))).toEqual(['copies/a', 'copiesother', 'elsewhere']);
    });

    test('queues an event for each object where only the action knows what it has made of it', async () => {
      await using stage = await startCopyStage(server);
      const { from, put } = stage;
      const keys = ['a b/+%20é', 'c', 'web/d', 'web/e f'];
      for (const key of keys) await put(from, key, key);
      const told = stage.at('told');
      const script = await stage.script(`echo "$1 $2 $3" >> '${told}'`);
      await stage.configure({ to: undefined, script });
      expect((await stage.run('resync')).stdout).toContain('4 objects found: an event for each is queued');
      await stage.workOff();
      const lines = (await readFile(told, 'utf8')).trim().split('\n');
      expect(lines.toSorted()).toEqual(keys.map((key) => `${from} ${key} copy`));

      const folder = stage.at('files');
      await mkdir(folder);
      await stage.configure({ to: undefined, sync: { 'web/': folder } });
      const { stdout } = await stage.run('resync', '--json');
      expect(JSON.parse(stdout)).toEqual({ objects: 2, exitCode: 0 });
      await stage.workOff();
      expect((await readdir(folder)).filter((name) => name !== '.isync').toSorted()).toEqual(['d', 'e f']);

      await stage.configure({ to: undefined, forward: 'nats://127.0.0.1:9/events' });
      expect((await stage.run('resync')).exitCode).toBe(0);
      expect(await stage.counts()).toMatchObject({ waiting: 4 });
    });

    test('ends at once at a signal, while a store answers nothing; what was queued stays', async () => {
      await using front = await startS3Front(server.endpoint);
      await using stage = await startCopyStage(server);
      await stage.configure({ sourceEndpoint: front.endpoint });
      const left = [...MANY];
      const put = async (): Promise<void> => {
        for (let key = left.pop(); key !== undefined; key = left.pop()) await stage.put(stage.from, key, key);
      };
      await Promise.all(Array.from({ length: PUTS_AT_ONCE }, put));
      front.refuse = ({ url = '' }) => (url.includes('continuation-token') ? SLOW_DOWN : undefined);
      await using resync = stage.begin('resync', '--json');
      await resync.until('the second page to be refused', () => front.refused > 0);
      const began = performance.now();
      const { exitCode, stdout } = await resync.stop('SIGTERM');
      expect(exitCode).toBe(130);
      // The grace for what is under way is 30 s.
      expect(performance.now() - began).toBeLessThan(20_000);
      const { differences } = JSON.parse(stdout) as { readonly differences: number };
      // The last key of a page waits for the next one.
      expect(differences).toBe(500);
      expect(await stage.counts()).toMatchObject({ waiting: 500 });
    });

    test('waits while the queue is full, and goes on when workers have made room', async () => {
      await using stage = await startCopyStage(server);
      const { from, to, put, list } = stage;
      for (const key of LETTERS) await put(from, key, key);
      // Fewer than there are differences.
      await stage.configure({ queueMax: 4 });
      await using resync = stage.begin('resync', '--json');
      await resync.until('the queue to be full', async () => (await stage.counts()).waiting === 4);
      expect(resync.over).toBe(false);
      await using worker = await stage.start(['--role', 'work']);
      const { exitCode, stdout } = await resync.ended;
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ differences: LETTERS.length });
      await worker.process.until('all to be copied', async () => Object.keys(await list(to)).length === 6);
    });
  });
});
