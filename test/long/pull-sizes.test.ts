import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { expect, test } from 'vitest';
import { followMemory } from '../../harness/backlog.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import { startNode } from '../../harness/process.ts';
import { failureOf, pulled, startPullStage } from '../../harness/pull-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server, type S3Server } from '../../harness/s3-server.ts';
import { roomFor } from '../../harness/s3-sizes.ts';
import { knowObjects } from './pull-known-objects.ts';

/** Most memory of a pull, whatever it does, in bytes. */
const MAX_MEMORY_BYTES = 200 * 1000 * 1000;
/** Objects of a comparison; the size that it is made for is a million, which takes some minutes. */
const OBJECTS = Number(process.env['ISYNC_TEST_PULL_OBJECTS'] ?? 30_000);
/** Those of them that are new; the others are here, as an earlier pull would have left them. */
const NEW_OBJECTS = Math.min(OBJECTS, 30_000);
/** A busy machine takes a millisecond for each object of a comparison. */
const COMPARISON_MS = 600_000 + 3 * OBJECTS;
const MANY_KEYS = fileURLToPath(new URL('../../harness/s3-many-keys.ts', import.meta.url));
const PART_BYTES = 64 * 1024 ** 2;
/** Bytes that a killed process may have to ask for again. */
const LOST_BYTES = 256 * 1024 ** 2;

await withS3Server((server) => {
  test('an object of 5 GiB arrives in bounded memory, and goes on where a killed process left it', async () => {
    await using front = await startS3Front(server.endpoint);
    await using stage = await startPullStage(server, { endpoint: front.endpoint });
    // It lies in the bucket, and here.
    const size = roomFor(2);
    let askedBytes = 0;
    front.refuse = ({ headers: { range } }) => {
      const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
      if (end !== undefined) askedBytes += Number(end) + 1 - Number(start);
      return undefined;
    };
    await upload(server, stage.bucket, 'a/big', size);
    {
      await using killed = stage.start();
      await killed.until('half of it', () => askedBytes > size / 2);
      await killed.kill();
    }
    expect(existsSync(stage.at('a/big'))).toBe(false);
    await using pull = stage.start();
    using memory = followMemory(pull);
    await pull.until('all of it', () => existsSync(stage.at('a/big')), 500_000);
    await pull.until('the message to be done', async () => await stage.isDrained());
    expect(memory.peakBytes).toBeLessThan(MAX_MEMORY_BYTES);
    expect(askedBytes).toBeLessThan(size + LOST_BYTES);
    await using file = await open(stage.at('a/big'));
    expect((await file.stat()).size).toBe(size);
    const found = Buffer.alloc(16);
    for (let at = 0; at + 16 <= size; at += PART_BYTES / 8) {
      await file.read(found, 0, 16, at);
      if (!found.equals(markAt(at))) throw new Error(`at ${at}: ${found.toString('latin1')}`);
    }
    console.log(`${size} bytes, peak ${Math.round(memory.peakBytes / 1e6)} MB`);
  });

  test(
    `a comparison of ${OBJECTS} objects takes bounded memory, and finds nothing when it is done again`,
    async () => {
      await using many = startNode([MANY_KEYS, String(OBJECTS)]);
      const port = await many.until('the server', () => /^(\d+)\n/.exec(many.stdout)?.[1]);
      await using stage = await startPullStage(server, {
        endpoint: `http://127.0.0.1:${port}`,
        bucket: await server.makeBucket(),
      });
      await stage.configure({ buckets: [stage.bucket], sync: { 'a/': 'a' } });
      for (const [args, differences] of [
        [['--resync', '--dry-run'], OBJECTS],
        [['--resync'], NEW_OBJECTS],
        [['--resync'], 0],
      ] as const) {
        if (differences === NEW_OBJECTS && OBJECTS > NEW_OBJECTS)
          await knowObjects(stage, OBJECTS - NEW_OBJECTS, 'with files');
        await using pull = stage.start(['--once', ...args]);
        using memory = followMemory(pull);
        const began = performance.now();
        const { exitCode, summary, stderr } = pulled(await pull.ended);
        const seconds = (performance.now() - began) / 1000;
        console.log(
          `${args.join(' ')}: ${seconds.toFixed(1)} s, peak ${Math.round(memory.peakBytes / 1e6)} MB`,
        );
        expect(failureOf({ exitCode, stderr })).toBe('');
        expect(summary).toMatchObject({ differences });
        expect(memory.peakBytes).toBeLessThan(MAX_MEMORY_BYTES);
      }
      const files = [...(await filesBelow(stage.at('a'))).keys()].filter(
        (path) => !path.startsWith('.isync/'),
      );
      expect(files).toHaveLength(OBJECTS);
      expect(readFileSync(stage.at(`a/${files[7]}`), 'utf8')).toBe(`a/${files[7]}`);
    },
    COMPARISON_MS,
  );
});

/** Bytes that tell their place, so that no part can stand for another. */
function markAt(at: number): Buffer {
  return Buffer.from(`at ${at}`.padEnd(16));
}

async function upload({ client }: S3Server, Bucket: string, Key: string, size: number): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const Parts: { PartNumber: number; ETag: string | undefined }[] = [];
  const Body = Buffer.alloc(PART_BYTES);
  for (let start = 0, PartNumber = 1; start < size; start += PART_BYTES, PartNumber++) {
    const part = Body.subarray(0, Math.min(PART_BYTES, size - start));
    for (let at = 0; at + 16 <= part.length; at += PART_BYTES / 8) markAt(start + at).copy(part, at);
    const { ETag } = await client.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: part }),
    );
    Parts.push({ PartNumber, ETag });
  }
  await client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }),
  );
}
