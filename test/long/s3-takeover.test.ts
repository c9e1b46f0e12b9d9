import { expect, test } from 'vitest';
import { withS3Server } from '../services/s3-server.ts';
import { MAX_SENT_AGAIN, takeOver } from '../suites/takeover.ts';

const GIB = 1024 ** 3;
const PATIENCE_MS = 400_000;

await withS3Server((server) => {
  test('another receiver goes on with a file of 5 GiB whose receiver was killed', async () => {
    const { sentAgain, kept, source, peakMemory } = await takeOver(server, 5 * GIB, PATIENCE_MS);
    expect(kept).toEqual(source);
    expect(sentAgain).toBeLessThan(MAX_SENT_AGAIN);
    expect(peakMemory).toBeLessThan(300_000_000);
  });
});
