import { describe, expect, test } from 'vitest';
import { SLOW_DOWN, startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import type { CliProcess } from '../../harness/process.ts';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { startS3Stage, type S3Stage } from '../../harness/s3-stage.ts';
import { untilSealed, type Edge } from '../../harness/stage.ts';

const TREE = {
  ...Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`DC1/f${index}`, index * 1000])),
  'DC1/large': 40_000_000,
  'DC1/finished.parse': 'closed',
};

await withS3Server((server) => {
  describe.concurrent.each([
    { how: 'through a receiver', direct: false },
    { how: 'directly', direct: true },
  ])('files that go to a bucket $how', ({ direct }) => {
    /** Scans with the server reached at `endpoint`, does its worst meanwhile, and expects all to be kept. */
    async function outlives(
      endpoint: string,
      worst: (daemon: CliProcess) => Promise<void>,
      begin: () => void = () => {},
    ): Promise<void> {
      await using s3 = await startS3Stage(server, endpoint);
      const edge = await s3.stage.edge('edge1');
      await edge.write(TREE);
      begin();
      await using daemon = start(s3, edge);
      await worst(daemon);
      await untilSealed(edge, ['DC1'], daemon);
      expect(await s3.differences(edge)).toEqual([]);
    }

    function start(s3: S3Stage, edge: Edge): CliProcess {
      return direct ? edge.daemon([...s3.args], { to: s3.address, env: s3.env }) : edge.daemon();
    }

    test('outlive a server that throttles two of five requests', async () => {
      await using front = await startS3Front(server.endpoint);
      let count = 0;
      const throttle = (): void => {
        front.refuse = () => (count++ % 5 < 2 ? SLOW_DOWN : undefined);
      };
      await outlives(front.endpoint, async () => {}, throttle);
      expect(front.refused).toBeGreaterThan(20);
    });

    test('outlive a server that throttles all requests for a while', async () => {
      await using front = await startS3Front(server.endpoint);
      await outlives(
        front.endpoint,
        async (daemon) => {
          await daemon.until('many refusals', () => front.refused > 6);
          expect(daemon.over).toBe(false);
          front.refuse = undefined;
        },
        () => {
          front.refuse = () => SLOW_DOWN;
        },
      );
    });

    test('outlive connections that are cut in the middle of requests', async () => {
      await using proxy = await faultyProxy(Number(new URL(server.endpoint).port));
      await outlives(`http://127.0.0.1:${proxy.port}`, async (daemon) => {
        for (const bytes of [100_000, 3_000_000, 12_000_000]) {
          const before = proxy.bytesUp;
          proxy.cutAfter(bytes);
          await daemon.until('the cut', () => proxy.bytesUp >= before + bytes);
          expect(daemon.over).toBe(false);
        }
      });
    });

    test('outlive a server that is away', async () => {
      await using proxy = await faultyProxy(Number(new URL(server.endpoint).port));
      await outlives(`http://127.0.0.1:${proxy.port}`, async (daemon) => {
        await daemon.until('some bytes', () => proxy.bytesUp > 5_000_000);
        proxy.refuse = true;
        proxy.cut();
        const before = proxy.connections;
        await daemon.until('many tries', () => proxy.connections > before + 20);
        expect(daemon.over).toBe(false);
        proxy.refuse = false;
      });
    });
  });
});
