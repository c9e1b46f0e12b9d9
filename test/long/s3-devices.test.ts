import { expect, test } from 'vitest';
import { type Receiver, scanOnce, startReceiver } from '../../harness/cli.ts';
import { temporaryFolder, writeTree } from '../../harness/data-tree.ts';
import { freePort } from '../../harness/free-port.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';
import type { StatusReport } from '../../src/observe/status/report.ts';

await withS3Server((server) => {
  test('two devices at two receivers share a bucket; each marker comes after all of its directory', async () => {
    await using front = await startS3Front(server.endpoint);
    await using s3 = await startS3Stage(server, front.endpoint);
    await using other = await s3.another();
    const edges = await Promise.all(['edge1', 'edge2'].map(async (device) => await s3.stage.edge(device)));
    for (const edge of edges)
      for (const directory of ['DC1', 'DC2'])
        await edge.write({
          [`${directory}/finished.parse`]: `closed by ${edge.device}`,
          ...Object.fromEntries(
            Array.from({ length: 40 }, (_, index) => [`${directory}/sub/f${index}`, index * 700]),
          ),
          [`${directory}/large`]: 20_000_000,
        });
    const scans = await Promise.all([
      edges[0]?.scan([], { to: s3.stage.receiver.url }),
      edges[1]?.scan([], { to: other.url }),
    ]);
    expect(scans.map((scan) => [scan?.exitCode, scan?.summary.files])).toEqual([
      [0, 82],
      [0, 82],
    ]);
    for (const edge of edges) {
      expect(await s3.differences(edge)).toEqual([]);
      for (const directory of ['DC1', 'DC2']) {
        expect(edge.sealed(directory)).toBe(true);
        const folder = `/${s3.bucket}/${s3.prefix}/${edge.device}/${directory}/`;
        const writes = front.answered.filter(
          ({ method, url }) => (method === 'PUT' || method === 'POST') && url.startsWith(folder),
        );
        const marker = writes.find(({ url }) => url.startsWith(`${folder}finished.parse`));
        const others = writes.filter((each) => each !== marker);
        expect(others.length).toBeGreaterThan(40);
        expect(Math.max(...others.map(({ answeredMs }) => answeredMs))).toBeLessThan(marker?.cameMs ?? 0);
      }
    }
  });

  test('a receiver of a bucket knows the devices of all of its receivers after a restart', async () => {
    await using folder = await temporaryFolder('devices');
    await writeTree(folder.path, { 'DC1/a': 'first', 'DC1/finished.parse': '' });
    const address = `s3://${await server.makeBucket()}/kept`;
    const [one, two] = [await freePort(), await freePort()];
    const args = ['--s3-endpoint', server.endpoint, '--status', '127.0.0.1:0'];
    const start = async (port: number) => await startReceiver(address, { port, args, env: server.env });
    const visit = async (device: string, { url }: Receiver) =>
      expect((await scanOnce(folder.path, { to: url, device })).exitCode).toBe(0);
    {
      await using first = await start(one);
      await visit('edge1', first);
      await first.process.stop('SIGTERM');
    }
    {
      await using second = await start(two);
      await second.process.until('what the other knows', async () => (await devicesOf(second)).length === 1);
      await visit('edge2', second);
      await second.process.stop('SIGTERM');
    }
    await using again = await start(one);
    // Of files of today each receiver knows its own alone.
    await expect
      .poll(() => devicesOf(again))
      .toMatchObject([
        ['edge1', 'away', expect.any(Number), 'DC1', 0, 2],
        ['edge2', 'away', expect.any(Number), 'DC1', 0, 0],
      ]);
  });
});

/** The first cells of each row of the devices on a receiver's page: name, state, since, directory, rate, files today. */
async function devicesOf({ process }: Receiver): Promise<readonly unknown[][]> {
  const url = /"status":"([^"]+)"/.exec(process.stdout)?.[1];
  const { cards } = (await (await fetch(`${url}/status.json`)).json()) as StatusReport;
  const rows = cards.find(({ id }) => id === 'devices')?.table?.rows ?? [];
  return rows.map(({ cells }) => cells.slice(0, 6));
}
