import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { MAX_PARTS } from '../../src/s3/multipart.ts';
import { archiveOf, KEY } from '../backup/archive.ts';
import { MemoryTarget } from '../backup/memory-target.ts';
import { UploadStage, writeAll } from '../backup/upload-stage.ts';

test('an archive has as many parts as an object can, and is refused beyond', async () => {
  const target = new MemoryTarget();
  const stage = await UploadStage.start([target], { partBytes: 1 });
  const bytes = randomBytes(MAX_PARTS + 1);
  const most = bytes.subarray(0, MAX_PARTS);
  await using refused = await stage.open([target]);
  await expect(writeAll(refused, bytes)).rejects.toMatchObject({ code: 'FILE_TOO_LARGE' });
  await refused[Symbol.asyncDispose]();
  target.calls.length = 0;
  expect(await stage.run([target], most)).toMatchObject([{ error: undefined }]);
  expect(archiveOf(target.objects.get(KEY)!.bytes)).toEqual(archiveOf(most));
  // What it has is asked for once, and hardly anything is sent again.
  expect(target.calls.length).toBeLessThan(MAX_PARTS / 10);
});
