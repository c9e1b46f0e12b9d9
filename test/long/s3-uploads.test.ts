import { randomBytes } from 'node:crypto';
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import type { IsyncError } from '../../src/model/isync-error.ts';
import type { Store, Upload } from '../../src/store/store.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { digestIn, fileAt, listPaths } from '../suites/store/files.ts';
import { openStoreAt, SMALL_PART } from '../store/s3/stores.ts';

const PREFIX = 'kept';
/** Five parts and a bit. */
const CONTENT = randomBytes(5 * SMALL_PART + 1234);
const PIECE = 256 * 1024;

await withS3Server((server) => {
  describe('a multipart upload', () => {
    let made = 0;

    /** A bucket's own part for each test: a prefix that no other test has. */
    async function place() {
      made += 1;
      bucket ??= server.makeBucket();
      return { bucket: await bucket, prefix: `${PREFIX}/${made}` };
    }
    let bucket: Promise<string> | undefined;
    type Place = Awaited<ReturnType<typeof place>>;

    function begin(store: Store, file: FileEntry): Promise<Upload> {
      return store.begin(file, { algorithm: 'xxh64', resume: true });
    }

    async function write(upload: Upload, to: number, content = CONTENT): Promise<void> {
      while (upload.offset < to)
        await upload.write(content.subarray(upload.offset, Math.min(to, upload.offset + PIECE)));
    }

    async function keysBelow({ bucket, prefix }: Place, folder: string): Promise<string[]> {
      const { Contents = [] } = await server.client.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: `${prefix}/${folder}` }),
      );
      return Contents.map(({ Key }) => Key!);
    }

    const statesIn = (at: Place): Promise<string[]> => keysBelow(at, '.isync/uploads/');

    async function uploadsIn({ bucket, prefix }: Place) {
      const { Uploads = [] } = await server.client.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: `${prefix}/` }),
      );
      return Uploads;
    }

    async function partsIn(at: Place): Promise<number> {
      const [upload] = await uploadsIn(at);
      if (upload === undefined) return 0;
      const { Key, UploadId } = upload;
      const { Parts = [] } = await server.client.send(
        new ListPartsCommand({ Bucket: at.bucket, Key, UploadId }),
      );
      return Parts.length;
    }

    async function expectKept(store: Store, file: FileEntry, content = CONTENT): Promise<void> {
      expect(await store.stat(file.path)).toEqual(file);
      expect(await digestIn(store, file.path)).toEqual(digestOf('xxh64', content));
    }

    async function expectNothingLeft(at: Place): Promise<void> {
      expect(await statesIn(at)).toEqual([]);
      expect(await uploadsIn(at)).toEqual([]);
    }

    const file = fileAt('edge1/DC1/large + odd%20', CONTENT.length);
    const value = digestOf('xxh64', CONTENT);

    it('goes on with the last whole part, in another process', async () => {
      const at = await place();
      await using first = await openStoreAt(server, at);
      const upload = await begin(first, file);
      await write(upload, 3 * SMALL_PART + 1000);
      await upload.suspend();
      await using second = await openStoreAt(server, at);
      expect(await listPaths(second)).toEqual([]);
      const next = await begin(second, file);
      expect(next.offset).toBe(3 * SMALL_PART);
      await write(next, CONTENT.length);
      await next.commit(value);
      await expectKept(second, file);
      await expectNothingLeft(at);
    });

    it.each(['xxh64', 'sha256'] as const)(
      'checks the %s digest of all its bytes after that',
      async (algorithm) => {
        const at = await place();
        await using store = await openStoreAt(server, at);
        const options = { algorithm, resume: true };
        const upload = await store.begin(file, options);
        await write(upload, 2 * SMALL_PART, Buffer.from(CONTENT).fill('?', 7, 8));
        await upload.suspend();
        const next = await store.begin(file, options);
        expect(next.offset).toBe(2 * SMALL_PART);
        await write(next, CONTENT.length);
        await expect(next.commit(digestOf(algorithm, CONTENT))).rejects.toMatchObject({
          code: 'DIGEST_MISMATCH',
        });
        await expectNothingLeft(at);
        const third = await store.begin(file, options);
        expect(third.offset).toBe(0);
        await write(third, CONTENT.length);
        await third.commit(digestOf(algorithm, CONTENT));
        await expectKept(store, file);
      },
    );

    it('counts parts whose process was never heard of again', async () => {
      const at = await place();
      await using lost = await openStoreAt(server, at);
      await write(await begin(lost, file), 3 * SMALL_PART + 1000);
      await expect.poll(async () => [await partsIn(at), (await statesIn(at)).length]).toEqual([3, 1]);
      await using heir = await openStoreAt(server, at);
      await expect
        .poll(async () => {
          const upload = await begin(heir, file);
          await upload.suspend();
          return upload.offset;
        })
        .toBe(3 * SMALL_PART);
      const upload = await begin(heir, file);
      await write(upload, CONTENT.length);
      await upload.commit(value);
      await expectKept(heir, file);
    });

    it('may be at two processes at once: one completes it, the other one begins anew', async () => {
      const at = await place();
      await using one = await openStoreAt(server, at);
      await using two = await openStoreAt(server, at);
      const late = await begin(one, file);
      await write(late, 2 * SMALL_PART);
      await expect.poll(() => partsIn(at)).toBe(2);
      const quick = await begin(two, file);
      await Promise.all([write(late, CONTENT.length - 1), write(quick, CONTENT.length)]);
      await quick.commit(value);
      await expectKept(two, file);
      const outcome = await write(late, CONTENT.length)
        .then(() => late.commit(value))
        .then(() => 'harmless')
        .catch((error: IsyncError) => (error.retryable ? 'harmless' : error.code));
      expect(outcome).toBe('harmless');
      const again = await begin(one, file);
      await write(again, CONTENT.length);
      await again.commit(value);
      await expectKept(one, file);
      expect(await uploadsIn(at)).toEqual([]);
    });

    it('is never made of parts of another content', async () => {
      const at = await place();
      await using one = await openStoreAt(server, at);
      await using two = await openStoreAt(server, at);
      const theirs = Buffer.alloc(CONTENT.length, 'x');
      const ours = await begin(one, file);
      await write(ours, 3 * SMALL_PART);
      await expect.poll(() => partsIn(at)).toBe(3);
      const other = await begin(two, file);
      expect(other.offset).toBeGreaterThan(0);
      await write(ours, 4 * SMALL_PART);
      await expect.poll(() => partsIn(at)).toBe(4);
      // Puts part 4 in place of ours.
      await write(other, 4 * SMALL_PART, theirs);
      await other.suspend();
      await write(ours, CONTENT.length);
      await expect(ours.commit(value)).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
      expect(await listPaths(one)).toEqual([]);
      const again = await begin(one, file);
      expect(again.offset).toBe(0);
      await again.abort();
      await expectNothingLeft(at);
    });

    it('that was completed by a process that could not say so needs no byte again', async () => {
      const at = await place();
      await using front = await startS3Front(server.endpoint);
      await using first = await openStoreAt(server, { ...at, endpoint: front.endpoint });
      const upload = await begin(first, file);
      await write(upload, CONTENT.length);
      // The state stays behind, as if the process had been killed after the completion.
      front.refuse = ({ method }) =>
        method === 'DELETE' ? { status: 403, code: 'AccessDenied' } : undefined;
      await upload.commit(value);
      await using second = await openStoreAt(server, at);
      const next = await begin(second, file);
      expect(next.offset).toBe(CONTENT.length);
      await next.commit(value);
      await expectKept(second, file);
      await expectNothingLeft(at);
    });

    it('begins anew when its parts are gone, and leaves nothing behind', async () => {
      const at = await place();
      await using store = await openStoreAt(server, at);
      const upload = await begin(store, file);
      await write(upload, 2 * SMALL_PART);
      await upload.suspend();
      // With an age of nothing, all that is not open is abandoned.
      await using tidy = await openStoreAt(server, { ...at, abandonedAfterMs: -60_000 });
      await expect.poll(() => uploadsIn(at)).toEqual([]);
      await expect.poll(() => statesIn(at)).toEqual([]);
      const next = await begin(tidy, file);
      expect(next.offset).toBe(0);
      await next.abort();
      await expectNothingLeft(at);
    });

    it.each([
      ['is no JSON', (): string => '{'],
      [
        'has another digest',
        (text: string): string => text.replaceAll(/"digest":"[^"]*"/g, '"digest":"AAAA"'),
      ],
      ['knows other parts', (text: string): string => text.replaceAll(/"chain":"[^"]*"/g, '"chain":"x"')],
      [
        'names another upload',
        (text: string): string => text.replace(/"uploadId":"[^"]*"/, '"uploadId":"2~x"'),
      ],
    ])('begins anew when its state %s', async (_, change) => {
      const at = await place();
      await using store = await openStoreAt(server, at);
      const upload = await begin(store, file);
      await write(upload, 2 * SMALL_PART);
      await upload.suspend();
      const object = { Bucket: at.bucket, Key: (await statesIn(at))[0]! };
      const { Body } = await server.client.send(new GetObjectCommand(object));
      const changed = change(await Body!.transformToString());
      await server.client.send(new PutObjectCommand({ ...object, Body: changed }));
      const next = await begin(store, file);
      expect(next.offset).toBe(0);
      await write(next, CONTENT.length);
      await next.commit(value);
      await expectKept(store, file);
      expect(await statesIn(at)).toEqual([]);
    });

    it('survives the collection of abandoned ones while it is young', async () => {
      const at = await place();
      await using store = await openStoreAt(server, at);
      const upload = await begin(store, file);
      await write(upload, 2 * SMALL_PART);
      await upload.suspend();
      // Closing waits for the collection that opening has begun, or ends it.
      for (let i = 0; i < 3; i += 1) await (await openStoreAt(server, at))[Symbol.asyncDispose]();
      const next = await begin(store, file);
      expect(next.offset).toBe(2 * SMALL_PART);
      await next.abort();
    });

    it('fails, to be tried again, when its memory went to others', async () => {
      const at = await place();
      await using store = await openStoreAt(server, {
        ...at,
        partBufferBytes: 2 * SMALL_PART,
        bufferIdleMs: 50,
      });
      const quiet = ['a', 'b'].map((name) => begin(store, fileAt(name, CONTENT.length)));
      for (const upload of await Promise.all(quiet)) await upload.write(Buffer.from('x'));
      const busy = await begin(store, file);
      await write(busy, CONTENT.length);
      await busy.commit(value);
      await expectKept(store, file);
      const outcomes = await Promise.allSettled(
        (await Promise.all(quiet)).map(async (upload) => upload.write(Buffer.from('x'))),
      );
      expect(outcomes).toContainEqual(
        expect.objectContaining({ reason: expect.objectContaining({ code: 'BUSY', retryable: true }) }),
      );
      for (const upload of await Promise.all(quiet)) await upload.abort();
    });

    it('is refused where the key would be too long or the file too large', async () => {
      const at = await place();
      await using store = await openStoreAt(server, { ...at, partBufferBytes: SMALL_PART });
      const long = Array.from({ length: 5 }, () => 'é'.repeat(110)).join('/');
      await expect(begin(store, fileAt(long, 1))).rejects.toMatchObject({
        code: 'BAD_PATH',
        retryable: false,
      });
      expect(await store.stat(fileAt(long, 1).path)).toBeUndefined();
      await expect(begin(store, fileAt('huge', SMALL_PART * 10_001))).rejects.toMatchObject({
        code: 'FILE_TOO_LARGE',
      });
    });
  });
});
