import { expect, test } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { MAX_S3_MEMORY_BYTES, roomFor } from '../../harness/s3-sizes.ts';
import { PART_BYTES, takeOver } from '../../harness/takeover.ts';

const PATIENCE_MS = 400_000;

await withS3Server((server) => {
  test('another receiver goes on with a file of 5 GiB whose receiver was killed', async () => {
    const { sentAgain, partsTwice, inFlight, kept, source, peakMemory } = await takeOver(
      server,
      roomFor(1),
      PATIENCE_MS,
    );
    expect(kept).toEqual(source);
    expect(sentAgain).toBeLessThan(inFlight + PART_BYTES);
    expect(partsTwice).toBeLessThanOrEqual(1);
    expect(peakMemory).toBeLessThan(MAX_S3_MEMORY_BYTES);
  });
});
