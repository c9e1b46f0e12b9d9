import { describe, expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { type CallerKind, CALLERS } from './callers.ts';
import { all } from './full-origin.ts';
import { type StageOptions, startMirror, startOrigin } from './serve-stage.ts';

await withS3Server((server) => {
  const beginner =
    (caller: CallerKind) =>
    async (options: StageOptions = {}, answer: Parameters<typeof startOrigin>[0] = all) => {
      const origin = await startOrigin(answer);
      return { origin, ...(await startMirror(server, origin.url, { caller, ...options })) };
    };

  describe.each(CALLERS)('by $name, a request', (caller) => {
    const begin = beginner(caller);

    it.each([
      ['/../x', 400],
      ['/a/%2e%2e/b', 400],
      ['/%00', 400],
      ['/%ff', 400],
      [`/${'a'.repeat(1021)}`, 400],
    ])('for %s is %d', async (path, status) => {
      const { ask, origin } = await begin();
      const told = await ask(path);
      expect([told.status, told.headers['cache-control'], told.headers['isync-mirror']]).toEqual([
        status,
        'no-store',
        'REFUSED',
      ]);
      expect(origin.asked).toEqual([]);
    });

    it('by other methods is told which there are', async () => {
      const { ask } = await begin();
      const options = await ask('/k', { method: 'OPTIONS' });
      expect([options.status, options.headers['allow']]).toEqual([204, 'GET, HEAD, OPTIONS']);
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
        expect(await ask('/k', { method })).toMatchObject({
          status: 405,
          headers: { allow: 'GET, HEAD, OPTIONS', 'cache-control': 'no-store' },
        });
    });

    it('that has come through this mirror is 508', async () => {
      const { ask, mirror, origin } = await begin();
      expect((await ask('/k', { headers: { via: `1.0 a, 1.1 ${mirror.viaId}` } })).status).toBe(508);
      expect((await ask('/k', { headers: { via: `1.1 isync-${'0'.repeat(16)}` } })).status).toBe(200);
      expect(origin.asked.length).toBe(1);
    });

    it('needs the token, where there is one', async () => {
      const { ask } = await begin({ token: 'sesame' });
      const status = async (path: string, authorization?: string) =>
        (await ask(path, authorization === undefined ? {} : { headers: { authorization } })).status;
      expect(await status('/k')).toBe(401);
      expect(await status('/k', 'Bearer other')).toBe(401);
      expect(await status('/k', 'Bearer sesame')).toBe(200);
      expect(await status('/healthz')).toBe(200);
    });

    it('for its health is answered, and an object of that name is still to be had', async () => {
      let reason: string | undefined;
      const { ask, put } = await begin({ notReady: async () => reason });
      await put('healthz', 'an object');
      expect((await ask('/healthz')).body.toString()).toBe('ok\n');
      expect((await ask('/readyz')).status).toBe(200);
      reason = 'http://10.0.0.1 is away';
      const told = await ask('/readyz');
      expect([told.status, told.body.toString()]).toEqual([503, 'not ready\n']);
      expect((await ask('/%68ealthz')).body.toString()).toBe('an object');
    });

    it('is in the access log with key, outcome, bytes and time', async () => {
      const { ask, log } = await begin();
      await ask('/a%20b');
      await expect.poll(() => log.lines.filter(({ message }) => message === 'request').length).toBe(1);
      expect(log.lines.find(({ message }) => message === 'request')?.fields).toMatchObject({
        method: 'GET',
        key: 'a b',
        outcome: 'MISS',
        status: 200,
        bytes: 10,
        ms: expect.any(Number),
      });
    });
  });

  // A function is not told that its client has left.
});
