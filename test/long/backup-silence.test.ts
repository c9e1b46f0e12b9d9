import { expect, test } from 'vitest';
import { openS3Target } from '../../src/backup/target/s3/s3-target.ts';
import { attempting } from '../../src/backup/upload/attempts.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { RecordingLog } from '../recording-log.ts';

/** Without a byte, in ms: from then on a connection is broken. */
const SILENCE_MS = 60_000;
const PART = { number: 1, bytes: Buffer.alloc(5 * 1024 * 1024), md5: 'XzY+DlipXwbL6bvGYsXftg==' };

test('a bucket that says nothing for a minute is given up, and the next endpoint is asked', async () => {
  await using silent = await startS3Front('http://127.0.0.1:9');
  silent.ignore = () => true;
  await using next = await startS3Front('http://127.0.0.1:9');
  next.refuse = () => ({ status: 200, code: '', body: '', headers: { etag: '"e"' } });
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
  const accesses = [silent, next].map(({ endpoint }) => ({ bucket: 'bucket', endpoint, credentials }));
  const settings = { bucket: 'bucket', prefix: '', storageClass: undefined, sse: undefined };
  await using target = openS3Target(
    { ...settings, sseKmsKeyId: undefined, lock: undefined },
    'app',
    accesses,
  );
  const log = new RecordingLog();
  const began = performance.now();
  const upload = { key: 'archive', id: 'upload-1' };
  expect(await attempting('put part 1', () => target.putPart(upload, PART), { log })).toBe('e');
  const tookMs = performance.now() - began;
  expect(tookMs).toBeGreaterThan(SILENCE_MS - 1000);
  expect(tookMs).toBeLessThan(2 * SILENCE_MS);
  expect(silent.asked).toHaveLength(1);
  expect(log.at('warn').map(({ fields }) => fields['err'])).toMatchObject([{ retryable: true }]);
});
