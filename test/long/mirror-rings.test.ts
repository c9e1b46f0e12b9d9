import { describe, expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { ask } from '../mirror/callers.ts';
import { startMirror, startOrigin } from '../mirror/serve-stage.ts';

/** What waits for these waits too long. */
const TIMEOUTS = { connect: '60s', firstByte: '60s', idle: '60s', total: '2m' };

await withS3Server((server) => {
  /** Mirrors, each of which has the next one as its origin, and then `others`. */
  async function startRing(count: number, ...others: readonly string[]) {
    const ports = await Promise.all(Array.from({ length: count }, async () => await freePort()));
    const mirrors: Awaited<ReturnType<typeof startMirror>>[] = [];
    for (const [index, port] of ports.entries()) {
      const next = `http://127.0.0.1:${ports[(index + 1) % count]}`;
      const rule = { origins: [next, ...others], timeouts: TIMEOUTS };
      mirrors.push(await startMirror(server, next, { port, rule }));
    }
    const served = () => mirrors.flatMap((mirror) => mirror.served.map(({ status }) => status));
    return { ports, mirrors, served };
  }

  describe.each([1, 2, 3, 5])('in a ring of %i mirrors', (count) => {
    it.each(['GET', 'HEAD'])('a %s goes round once', async (method) => {
      const { ports, served } = await startRing(count);
      expect((await ask(ports[0]!, '/k', { method })).status).toBe(508);
      expect(served()).toEqual(Array.from({ length: count + 1 }, () => 508));
    });

    it('no fill waits for itself, where all are asked for a key at once', async () => {
      const { ports, served } = await startRing(count);
      const told = await Promise.all(ports.map(async (port) => (await ask(port, '/k')).status));
      expect(told).toEqual(ports.map(() => 508));
      expect(new Set(served())).toEqual(new Set([508]));
    });

    it('the next origin of the last one is asked, once', async () => {
      const old = await startOrigin((_, response) => void response.end('of the old place'));
      const { ports, mirrors } = await startRing(count, old.url);
      expect(String((await ask(ports[0]!, '/k')).body)).toBe('of the old place');
      expect(old.asked).toEqual(['GET /k']);
      await Promise.all(mirrors.map(async ({ mirror }) => await mirror.fills.settled()));
      for (const { mirror } of mirrors) expect(await mirror.kept.head('k')).toBeDefined();
    });
  });

  it('one that is told by a client that it leads back is not left alone for it', async () => {
    const old = await startOrigin((_, response) => void response.end('of the old place'));
    const behind = await startMirror(server, old.url);
    const { ask: front } = await startMirror(server, `http://127.0.0.1:${behind.port}`);
    const headers = { via: `1.1 ${behind.mirror.viaId}` };
    for (let index = 0; index < 20; index++)
      expect((await front(`/loop${index}`, { headers })).status).toBe(508);
    expect((await front('/k')).status).toBe(200);
  });

  it('nobody waits for the fill of a request that came another way', async () => {
    const old = await startOrigin((_, response) => void response.end('of the old place'));
    const behind = await startMirror(server, old.url);
    const { ask: front } = await startMirror(server, `http://127.0.0.1:${behind.port}`);
    const headers = { via: `1.1 ${behind.mirror.viaId}` };
    const told = await Promise.all([front('/k', { headers }), front('/k'), front('/k', { headers })]);
    expect(told.map(({ status }) => status)).toEqual([508, 200, 508]);
  });
});
