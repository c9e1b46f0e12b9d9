import { expect, test } from 'vitest';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';

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
});
