import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import type { IsyncError } from '../../../src/model/isync-error.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import type { Upload } from '../../../src/store/store.ts';
import { fileAt, putBytes } from './files.ts';
import { type Subject, whole } from './subject.ts';

export function uploadSuite(subject: Subject): void {
  describe('an upload', () => {
    const content = randomBytes(1_000_000);
    const file = fileAt('dev/DC1/large', content.length);
    const value = digestOf('xxh64', content);

    async function writeRange(upload: Upload, to: number): Promise<void> {
      while (upload.offset < to)
        await upload.write(content.subarray(upload.offset, Math.min(to, upload.offset + 65_536)));
    }

    it('appears under its path at the commit, not before', async () => {
      const upload = await subject.begin(file);
      expect(upload.offset).toBe(0);
      await writeRange(upload, content.length);
      expect(upload.offset).toBe(content.length);
      expect(await subject.kept(file)).toBeUndefined();
      await upload.commit(value);
      expect(await subject.kept(file)).toEqual(whole(content));
      await subject.reopen();
      expect(await subject.kept(file)).toEqual(whole(content));
    });

    it('may be of an empty file, and be sha256', async () => {
      const empty = fileAt('d/empty', 0);
      const upload = await subject.store.begin(empty, { algorithm: 'sha256', resume: false });
      await upload.commit(digestOf('sha256', Buffer.alloc(0)));
      expect(await subject.kept(empty)).toEqual(whole(Buffer.alloc(0)));
    });

    it('does not depend on written bytes any more', async () => {
      const upload = await subject.begin(fileAt('f', 6));
      const buffer = Buffer.from('abc');
      await upload.write(buffer);
      buffer.set(Buffer.from('def'));
      await upload.write(buffer);
      await upload.commit(digestOf('xxh64', Buffer.from('abcdef')));
      expect(await subject.kept(fileAt('f', 6))).toEqual(whole('abcdef'));
    });

    it('takes several chunks at a time, in their order, also empty ones and more than the kernel takes', async () => {
      const upload = await subject.begin(file);
      const chunks = Array.from({ length: 2000 }, (_, n) => content.subarray(n * 100, n * 100 + 100));
      await upload.write(Buffer.alloc(0), ...chunks, Buffer.alloc(0));
      expect(upload.offset).toBe(200_000);
      await upload.write();
      await upload.write(content.subarray(200_000, 200_001), content.subarray(200_001));
      await upload.commit(value);
      expect(await subject.kept(file)).toEqual(whole(content));
    });

    it('publishes nothing when the digest differs, keeps the older version and starts over', async () => {
      const old = await putBytes(subject.store, file.path, 'old', 1);
      const upload = await subject.begin(file);
      await writeRange(upload, content.length);
      await expect(upload.commit(digestOf('xxh64', Buffer.from('?')))).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      });
      expect(await subject.kept(old)).toEqual(whole('old'));
      const next = await subject.begin(file);
      expect(next.offset).toBe(0);
      await next.abort();
    });

    it('is not published before all its bytes are there', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, 65_536);
      const digest = digestOf('xxh64', content.subarray(0, 65_536));
      await expect(upload.commit(digest)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(await subject.kept(file)).toBeUndefined();
    });

    it('takes no byte beyond the announced size', async () => {
      const upload = await subject.begin(fileAt('f', 3));
      await expect(upload.write(Buffer.from('abcd'))).rejects.toMatchObject({ code: 'PROTOCOL' });
      await upload.write(Buffer.from('abc'));
      await expect(upload.write(Buffer.from('d'))).rejects.toMatchObject({ code: 'PROTOCOL' });
      await upload.commit(digestOf('xxh64', Buffer.from('abc')));
    });

    it.each([
      ['suspend', async (upload: Upload): Promise<void> => upload.suspend()],
      [
        'suspend and opening the store again',
        async (upload: Upload): Promise<void> => {
          await upload.suspend();
          await subject.reopen();
        },
      ],
      ['closing the store under it', async (): Promise<void> => subject.reopen()],
    ])('goes on after %s', async (_, interrupt) => {
      const upload = await subject.begin(file);
      await writeRange(upload, 300_000);
      await interrupt(upload);
      expect(await subject.kept(file)).toBeUndefined();
      const next = await subject.begin(file);
      subject.expectResumed(next.offset, 300_000);
      await writeRange(next, content.length);
      await next.commit(value);
      expect(await subject.kept(file)).toEqual(whole(content));
    });

    it('checks the digest of the whole file after a resume', async () => {
      const upload = await subject.begin(file);
      await upload.write(randomBytes(1000));
      await upload.suspend();
      const next = await subject.begin(file);
      subject.expectResumed(next.offset, 1000);
      const resumed = next.offset > 0;
      await writeRange(next, content.length);
      const outcome = await next.commit(value).then(
        () => 'published',
        (error: IsyncError) => error.code,
      );
      expect(outcome).toBe(resumed ? 'DIGEST_MISMATCH' : 'published');
    });

    it('starts over when it shall not be resumed', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, 300_000);
      await upload.suspend();
      const next = await subject.begin(file, false);
      expect(next.offset).toBe(0);
      await writeRange(next, 1000);
      await next.suspend();
      const third = await subject.begin(file);
      subject.expectResumed(third.offset, 1000);
      await third.abort();
    });

    it('starts over after an abort', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, 300_000);
      await upload.abort();
      expect(await subject.kept(file)).toBeUndefined();
      const next = await subject.begin(file);
      expect(next.offset).toBe(0);
      await next.abort();
    });

    it('starts over after it has been published', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, content.length);
      await upload.commit(value);
      const again = await subject.begin(file);
      expect(again.offset).toBe(0);
      await writeRange(again, content.length);
      await again.commit(value);
      expect(await subject.kept(file)).toEqual(whole(content));
    });

    it('of another path, size or mtime is another upload', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, 300_000);
      await upload.suspend();
      for (const other of [
        { ...file, path: parseRelPath('dev/DC1/other') },
        { ...file, size: file.size + 1 },
        { ...file, mtimeUs: file.mtimeUs + 1 },
      ]) {
        const next = await subject.begin(other);
        expect(next.offset).toBe(0);
        await next.abort();
      }
      const next = await subject.begin(file);
      subject.expectResumed(next.offset, 300_000);
      await next.abort();
    });

    it('is BUSY while the same one is open, and only then', async () => {
      const upload = await subject.begin(file);
      await expect(subject.begin(file)).rejects.toMatchObject({ code: 'BUSY', retryable: true });
      await expect(subject.begin(file, false)).rejects.toMatchObject({ code: 'BUSY' });
      const other = await subject.begin({ ...file, mtimeUs: 1 });
      await other.abort();
      await writeRange(upload, 1000);
      await upload.suspend();
      const both = await Promise.allSettled([subject.begin(file), subject.begin(file)]);
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      for (const result of both) if (result.status === 'fulfilled') await result.value.abort();
    });

    it('is BUSY no more after a failed commit', async () => {
      const upload = await subject.begin(file);
      await expect(upload.commit(value)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      await (await subject.begin(file)).abort();
    });

    it('may be committed, aborted and suspended again once it has ended', async () => {
      const upload = await subject.begin(file);
      await writeRange(upload, content.length);
      await upload.commit(value);
      await upload.commit(value);
      await upload.abort();
      await upload.suspend();
      expect(await subject.kept(file)).toEqual(whole(content));
    });

    it('that was committed while it was being aborted, or the reverse, ends one way', async () => {
      const first = await subject.begin(file);
      await writeRange(first, content.length);
      await Promise.all([first.commit(value), first.abort(), first.suspend()]);
      expect(await subject.kept(file)).toEqual(whole(content));

      const second = await subject.begin(fileAt('other', 0));
      const aborted = second.abort();
      await expect(second.commit(digestOf('xxh64', Buffer.alloc(0)))).rejects.toMatchObject({
        code: 'INTERNAL',
      });
      await aborted;
      expect(await subject.kept(fileAt('other', 0))).toBeUndefined();
    });

    it('tells the same failure to every commit, and takes no more bytes', async () => {
      const upload = await subject.begin(file);
      for (let i = 0; i < 2; i += 1)
        await expect(upload.commit(value)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      await expect(upload.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'INTERNAL' });
      await upload.abort();
      await upload.suspend();
    });

    it('runs beside others', async () => {
      const uploads = Array.from({ length: 12 }, (_, i) => ({ ...file, path: parseRelPath(`d/${i}`) }));
      await Promise.all(
        uploads.map(async (each) => {
          const upload = await subject.begin(each);
          await writeRange(upload, content.length);
          await upload.commit(value);
        }),
      );
      for (const each of uploads) expect(await subject.kept(each)).toEqual(whole(content));
    });
  });
}
