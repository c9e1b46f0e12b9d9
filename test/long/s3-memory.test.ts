import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { followMemory } from '../../harness/backlog.ts';
import { writeSparse } from '../../harness/data-tree.ts';
import { MAX_S3_MEMORY_BYTES, roomFor } from '../../harness/s3-sizes.ts';
import { startS3Stage } from '../../harness/s3-stage.ts';

/** Of four devices, at once. */
const UPLOADS = 4;

await withS3Server((server) => {
  test('four files of 5 GiB go to a bucket at once through a receiver of bounded memory', async () => {
    await using s3 = await startS3Stage(server);
    const size = roomFor(UPLOADS);
    const edges = await Promise.all(
      Array.from({ length: UPLOADS }, async (_, index) => {
        const edge = await s3.stage.edge(`edge${index}`);
        await writeSparse(join(edge.root, 'DC1/big.bin'), size);
        await edge.write({ 'DC1/finished.parse': '' });
        return edge;
      }),
    );
    using memory = followMemory(s3.stage.receiver.process);
    const scans = await Promise.all(edges.map(async (edge) => await edge.scan()));
    expect(scans.map(({ exitCode, summary }) => [exitCode, summary.bytes])).toEqual(
      edges.map(() => [0, size]),
    );
    expect(memory.peakBytes).toBeLessThan(MAX_S3_MEMORY_BYTES);
  });
});
