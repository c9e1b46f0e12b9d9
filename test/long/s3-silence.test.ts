import { describe, expect, test } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';
import { untilSealed } from '../../harness/stage.ts';

const PATIENCE_MS = 300_000;

await withS3Server((server) => {
  describe.concurrent.each([
    { how: 'through a receiver', direct: false },
    { how: 'directly', direct: true },
  ])('a file that goes to a bucket $how', ({ direct }) => {
    test('outlives connections that go silent in the middle of requests', async () => {
      await using proxy = await faultyProxy(Number(new URL(server.endpoint).port));
      await using s3 = await startS3Stage(server, `http://127.0.0.1:${proxy.port}`);
      const edge = await s3.stage.edge('edge1');
      await edge.write({ 'DC1/a': 10, 'DC1/large': 60_000_000, 'DC1/finished.parse': 'closed' });
      await using daemon = direct
        ? edge.daemon([...s3.args], { to: s3.address, env: s3.env })
        : edge.daemon();
      await daemon.until('a part of it', () => proxy.bytesUp > 12_000_000);
      proxy.deaden();
      expect(edge.sealed('DC1')).toBe(false);
      await untilSealed(edge, ['DC1'], daemon, PATIENCE_MS);
      expect(await s3.differences(edge)).toEqual([]);
    });
  });
});
