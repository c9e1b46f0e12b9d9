import { expect, test } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { PART_BYTES, takeOver } from '../../harness/takeover.ts';

const SIZE = 200 * 1024 * 1024;
/** Of one upload at a time; see src/store/s3/multipart-body.ts. */
const PARTS_ON_THE_WAY = 4;
const PATIENCE_MS = 60_000;

await withS3Server((server) => {
  test('another receiver goes on with a file whose receiver was killed', async () => {
    const { sentAgain, partsTwice, inFlight, kept, source } = await takeOver(server, SIZE, PATIENCE_MS);
    expect(kept).toEqual(source);
    expect(sentAgain).toBeLessThan(inFlight + PART_BYTES);
    // Those that were on the way: a quick server may have them without their having been confirmed.
    expect(partsTwice).toBeLessThanOrEqual(PARTS_ON_THE_WAY);
  });
});
