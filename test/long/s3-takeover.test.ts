import { expect, test } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { MAX_S3_MEMORY_BYTES, roomFor } from '../../harness/s3-sizes.ts';
import { PART_BYTES, takeOver } from '../../harness/takeover.ts';

/** Of one upload at a time; see src/store/s3/multipart-body.ts. */
const PARTS_ON_THE_WAY = 4;
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
    // Those that were on the way: a quick server may have them without their having been confirmed.
    expect(partsTwice).toBeLessThanOrEqual(PARTS_ON_THE_WAY);
    expect(peakMemory).toBeLessThan(MAX_S3_MEMORY_BYTES);
  });
});
