import { expect, test } from 'vitest';
import { withS3Server } from '../services/s3-server.ts';
import { MAX_SENT_AGAIN, takeOver } from '../suites/takeover.ts';

const SIZE = 200 * 1024 * 1024;
const PATIENCE_MS = 60_000;

await withS3Server((server) => {
  test('another receiver goes on with a file whose receiver was killed', async () => {
    const { sentAgain, kept, source } = await takeOver(server, SIZE, PATIENCE_MS);
    expect(kept).toEqual(source);
    expect(sentAgain).toBeLessThan(MAX_SENT_AGAIN);
  });
});
