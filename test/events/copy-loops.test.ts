import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from './copy-stage.ts';

const MIB = 1024 * 1024;
const ATTRIBUTES = { ContentType: 'text/x-test', CacheControl: 'max-age=7', Metadata: { mtime: '1.5' } };

await withS3Server((server) => {
  it.each([
    ['from one server to another', false],
    ['within a server', true],
  ] as const)('a copy is not copied back to where it came from, %s', async (_, isOneServer) => {
    const stage = await CopyStage.start(server);
    const there = stage.open({ isOneServer });
    const back = stage.open({ isOneServer, target: { bucket: stage.from } });
    await stage.put('small', 'bytes', ATTRIBUTES);
    // The ETag of a copy of these is another one.
    await stage.putParts('parts', [randomBytes(5 * MIB), randomBytes(1000)]);
    for (const key of ['small', 'parts']) {
      const before = await stage.head(key, stage.from);
      expect(await there.created(key)).toMatchObject({ outcome: 'written' });
      expect(await back.created(key, { bucket: stage.to })).toEqual({ outcome: 'unchanged' });
      const after = await stage.head(key, stage.from);
      expect([after.ETag, after.LastModified]).toEqual([before.ETag, before.LastModified]);
    }
  });

  it('a ring of three buckets ends where it began, also for an object in parts', async () => {
    const stage = await CopyStage.start(server);
    const third = await server.makeBucket();
    const ring = [stage.to, third, stage.from];
    await stage.putParts('parts', [randomBytes(5 * MIB), randomBytes(1000)]);
    const before = await stage.head('parts', stage.from);
    const outcomes: string[] = [];
    for (const [index, bucket] of ring.entries()) {
      const action = stage.open({ target: { bucket } });
      const from = ring.at(index - 1)!;
      outcomes.push((await action.created('parts', { bucket: from })).outcome);
    }
    expect(outcomes).toEqual(['written', 'written', 'unchanged']);
    const after = await stage.head('parts', stage.from);
    expect([after.ETag, after.LastModified]).toEqual([before.ETag, before.LastModified]);
  });

  it.each([
    ['', false],
    ['', true],
    ['q/', false],
    ['q/', true],
  ])(
    'two webhooks that copy to each other end, below "p/" and "%s", within a server: %s',
    async (prefix, isOneServer) => {
      const stage = await CopyStage.start(server);
      const there = stage.open({ isOneServer, target: { prefix: 'p/' } });
      const back = stage.open({ isOneServer, target: { bucket: stage.from, prefix } });
      const size = Buffer.byteLength('content of k');
      await stage.put('k');
      let key = 'k';
      const outcomes: string[] = [];
      while (outcomes.at(-1) !== 'parked' && outcomes.length < 12) {
        const isThere = outcomes.length % 2 === 0;
        const { outcome } = isThere
          ? await there.created(key, { size })
          : await back.created(key, { size, bucket: stage.to });
        outcomes.push(outcome);
        key = `${isThere ? 'p/' : prefix}${key}`;
      }
      expect(outcomes).toEqual(['written', 'written', 'written', 'written', 'parked']);
      // Another object with such a key is copied.
      await stage.put(`${prefix}p/${prefix}p/other`);
      expect(await there.created(`${prefix}p/${prefix}p/other`)).toMatchObject({ outcome: 'written' });
    },
  );

  it('a copy of a copy is refused, also where one server has two names', async () => {
    const stage = await CopyStage.start(server);
    const access = { endpoint: stage.source.endpoint, credentials: server.credentials };
    const buckets = [stage.from];
    expect(() =>
      stage.open({ source: { buckets }, target: { access, bucket: stage.from, prefix: 'p/' } }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    const one = stage.open({ target: { access, bucket: stage.from, prefix: 'p/' } });
    await expect(one.created('p/k')).rejects.toThrow('below the prefix of the copies');
    await stage.put('p/k');
    const aliased = stage.open({ target: { bucket: stage.from, prefix: 'p/' } });
    expect(await aliased.created('p/k')).toMatchObject({
      outcome: 'parked',
      reason: expect.stringContaining('one server'),
    });
  });
});
