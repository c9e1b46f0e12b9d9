import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { fileAt, putBytes, xxh64 } from './files.ts';
import { type Subject, whole } from './subject.ts';

/** As large as what goes as an upload, and in more than one part where the store has parts. */
const LARGE = 6 * 1024 * 1024;
const REFUSED = { code: 'SOURCE_DAMAGED', retryable: false };

export function damageSuite(subject: Subject): void {
  describe('a version that a power cut seems to have damaged', () => {
    const good = randomBytes(5000);

    it.each([
      ['shorter', good.subarray(0, 4999)],
      ['empty', Buffer.alloc(0)],
      ['as long, of zeros', Buffer.alloc(good.length)],
    ])('does not replace the kept one: %s', async (_, bad) => {
      const file = await putBytes(subject.store, 'd/DC1/f', good);
      await expect(putBytes(subject.store, file.path, bad)).rejects.toMatchObject(REFUSED);
      expect(await subject.kept(file)).toEqual(whole(good));
    });

    it('tells both sizes and the way out', async () => {
      const { path } = await putBytes(subject.store, 'd/DC1/f', good);
      await expect(putBytes(subject.store, path, 'x')).rejects.toThrow(
        /1 bytes.* 5000 bytes.*--replace-damaged/,
      );
    });

    it('replaces it where that is asked for', async () => {
      const { path } = await putBytes(subject.store, 'd/DC1/f', good);
      for (const bytes of [Buffer.alloc(good.length), Buffer.from('short')]) {
        const file = fileAt(path, bytes.length);
        await subject.store.put(file, bytes, xxh64(bytes), { replaceDamaged: true });
        expect(await subject.kept(file)).toEqual(whole(bytes));
      }
    });

    it('is none where it grew, has another time, or other bytes than zeros', async () => {
      await putBytes(subject.store, 'd/f', good);
      const grown = Buffer.concat([good, Buffer.from('more')]);
      expect(await subject.kept(await putBytes(subject.store, 'd/f', grown))).toEqual(whole(grown));
      const other = randomBytes(grown.length);
      expect(await subject.kept(await putBytes(subject.store, 'd/f', other))).toEqual(whole(other));
      const later = await putBytes(subject.store, 'd/f', 'later', 1_800_000_000_000_000);
      expect(await subject.kept(later)).toEqual(whole('later'));
      const earlier = await putBytes(subject.store, 'd/f', Buffer.alloc(5), 1_600_000_000_000_000);
      expect(await subject.kept(earlier)).toEqual(whole(Buffer.alloc(5)));
    });

    it('is none where the kept one is nothing but zeros too', async () => {
      const zeros = Buffer.alloc(5000);
      await putBytes(subject.store, 'd/f', zeros);
      expect(await subject.kept(await putBytes(subject.store, 'd/f', zeros))).toEqual(whole(zeros));
    });

    it('is refused before any byte of an upload has come, where it is shorter', async () => {
      const large = randomBytes(LARGE);
      const file = await putBytes(subject.store, 'd/large', large);
      const short = fileAt('d/large', 2_000_000);
      await expect(subject.begin(short)).rejects.toMatchObject(REFUSED);
      await expect(subject.begin(short, false)).rejects.toMatchObject(REFUSED);
      expect(await subject.kept(file)).toEqual(whole(large));
      const asked = { algorithm: 'xxh64', resume: true, replaceDamaged: true } as const;
      const upload = await subject.store.begin(short, asked);
      await upload.write(large.subarray(0, short.size));
      await upload.commit(digestOf('xxh64', large.subarray(0, short.size)));
      expect(await subject.kept(short)).toEqual(whole(large.subarray(0, short.size)));
    });

    it.each([2_000_000, LARGE])('is refused at the commit of an upload of %i zeros', async (size) => {
      const bytes = randomBytes(size);
      const file = await putBytes(subject.store, 'd/large', bytes);
      const zeros = Buffer.alloc(size);
      const upload = await subject.begin(file);
      await upload.write(zeros.subarray(0, 1_000_000));
      await upload.write(zeros.subarray(1_000_000));
      await expect(upload.commit(digestOf('xxh64', zeros))).rejects.toMatchObject(REFUSED);
      expect(await subject.kept(file)).toEqual(whole(bytes));
      const again = await subject.store.begin(file, {
        algorithm: 'xxh64',
        resume: true,
        replaceDamaged: true,
      });
      await again.write(zeros.subarray(again.offset));
      await again.commit(digestOf('xxh64', zeros));
      expect(await subject.kept(file)).toEqual(whole(zeros));
    });

    /** Commits an upload over a kept one of its size and time, of zeros behind its first byte, in two goes. */
    async function resumeWith(
      first: number,
    ): Promise<{ kept: Buffer; content: Buffer; commit: () => Promise<void> }> {
      const kept = randomBytes(LARGE);
      const file = await putBytes(subject.store, 'd/large', kept);
      const content = Buffer.alloc(LARGE);
      content[0] = first;
      const begun = await subject.begin(file, false);
      await begun.write(content.subarray(0, LARGE - 1000));
      await begun.suspend();
      const upload = await subject.begin(file);
      await upload.write(content.subarray(upload.offset));
      return { kept, content, commit: () => upload.commit(digestOf('xxh64', content)) };
    }

    it('is known by the bytes of an upload that came before it was suspended, too', async () => {
      const zeros = await resumeWith(0);
      await expect(zeros.commit()).rejects.toMatchObject(REFUSED);
      expect(await subject.kept(fileAt('d/large', LARGE))).toEqual(whole(zeros.kept));
      const other = await resumeWith(1);
      await other.commit();
      expect(await subject.kept(fileAt('d/large', LARGE))).toEqual(whole(other.content));
    });

    it('is refused at the commit where the better one was published meanwhile', async () => {
      const short = randomBytes(2_000_000);
      const upload = await subject.begin(fileAt('d/large', short.length));
      await upload.write(short);
      const better = randomBytes(2_000_001);
      const file = await putBytes(subject.store, 'd/large', better);
      await expect(upload.commit(digestOf('xxh64', short))).rejects.toMatchObject(REFUSED);
      expect(await subject.kept(file)).toEqual(whole(better));
    });

    it('comes after the good one, put at the same moment', async () => {
      const file = fileAt('d/f', good.length);
      const results = await Promise.allSettled([
        putBytes(subject.store, 'd/f', good),
        putBytes(subject.store, 'd/f', good.subarray(0, 10)),
        putBytes(subject.store, 'd/f', Buffer.alloc(good.length)),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
      expect(await subject.kept(file)).toEqual(whole(good));
    });
  });
}
