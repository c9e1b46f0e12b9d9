import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../harness/free-port.ts';
import { type MirrorBulkStage, startMirrorBulkStage } from '../../harness/mirror-bulk-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { completeUpload, putPart, startUpload } from '../../src/s3/multipart.ts';
import { bodyOf, bucketAt, SMALL_PART } from '../s3/buckets.ts';

/** Keys of one page of a listing, and some. */
const MANY = 1200;
/** What web servers tell is in whole seconds. */
const SECOND_MS = 1100;

await withS3Server((server) => {
  const started = async () => await startMirrorBulkStage(server);

  /** By the listing of the old bucket. */
  const configured = async (stage: MirrorBulkStage, endpoint = server.endpoint): Promise<void> =>
    await stage.configure({ rules: [{ origins: [{ url: `s3://${stage.oldBucket}/old/`, endpoint }] }] });

  /** An object in two parts, whose ETag tells no MD5. */
  async function putInParts(name: string, key: string, parts: readonly Buffer[]): Promise<void> {
    const bucket = bucketAt(server, { bucket: name });
    const upload = await startUpload(bucket, key);
    const etags: string[] = [];
    for (const [index, part] of parts.entries())
      etags.push((await putPart(bucket, upload, index + 1, bodyOf(part))).etag);
    await completeUpload(bucket, upload, etags);
  }

  describe('isync mirror fill --changed', () => {
    it('fetches by a listing what is new, newer or of another size, and nothing over what was changed in the bucket', async () => {
      await using stage = await started();
      const { bucket, oldBucket, put, run, textOf } = stage;
      await configured(stage);
      const names = ['same', 'newer', 'longer', 'theirs', 'copied', 'both'];
      for (const name of names) await put(oldBucket, `old/${name}`, `old ${name}`);
      expect((await run('fill')).summary).toMatchObject({ filled: names.length });
      const { Metadata } = await stage.headOf('copied');
      await setTimeout(SECOND_MS);
      await put(bucket, 'pre/theirs', 'by the application');
      // With our metadata, as programs do that change an object.
      await put(bucket, 'pre/copied', 'old COPIED', { Metadata });
      await put(bucket, 'pre/own', 'of the application alone');
      for (const name of ['newer', 'theirs', 'copied']) await put(oldBucket, `old/${name}`, `NEW ${name}`);
      await put(oldBucket, 'old/longer', 'longer than before');
      await put(oldBucket, 'old/added', 'added');
      expect((await run('fill', '--dry-run')).summary).toMatchObject({ filled: 1, replaced: 0, present: 6 });
      const { exitCode, summary } = await run('fill', '--changed');
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 0,
        summary: { filled: 1, replaced: 2, untouched: 2, present: 2, failed: 0 },
      });
      expect(await Promise.all([...names, 'added', 'own'].map(textOf))).toEqual([
        'old same',
        'NEW newer',
        'longer than before',
        'by the application',
        'old COPIED',
        'old both',
        'added',
        'of the application alone',
      ]);
      expect((await run('fill', '--changed')).summary).toMatchObject({
        filled: 0,
        replaced: 0,
        untouched: 2,
      });
    });

    it('leaves what is changed in the bucket while the newer version is on its way', async () => {
      await using stage = await started();
      const { at, bucket, put, run, textOf, web } = stage;
      await stage.configure({ rules: [{ origins: [`${web.url}/base/`], allowPrivate: true }] });
      web.files.set('/base/a', { body: 'old' });
      await writeFile(at('list'), 'a');
      expect((await run('fill', '--list', at('list'))).summary).toMatchObject({ filled: 1 });
      web.instead = (request, response) => {
        response.writeHead(200, { 'content-length': 3, 'last-modified': new Date().toUTCString() });
        if (request.method === 'HEAD') return void response.end();
        response.write('n');
        void put(bucket, 'pre/a', 'by the application').then(() => response.end('ew'));
      };
      const { exitCode, summary } = await run('fill', '--list', at('list'), '--changed');
      expect({ exitCode, summary }).toMatchObject({ exitCode: 0, summary: { replaced: 0, untouched: 1 } });
      expect(await textOf('a')).toBe('by the application');
    });
  });

  describe('of objects that were put in parts', () => {
    it('fill, verify and --changed tell by the ETag at the origin whether they are those that were kept', async () => {
      await using stage = await started();
      const { oldBucket, run } = stage;
      await configured(stage);
      const [one, two] = [randomBytes(SMALL_PART), randomBytes(1000)];
      for (const name of ['a', 'b']) await putInParts(oldBucket, `old/${name}`, [one, two]);
      expect((await run('fill')).summary).toMatchObject({ filled: 2 });
      expect(await stage.headOf('a')).toMatchObject({
        ContentLength: SMALL_PART + 1000,
        Metadata: { 'isync-origin-etag': expect.stringMatching(/^"[0-9a-f]{32}-2"$/) as unknown },
      });
      expect(await run('verify')).toMatchObject({
        exitCode: 0,
        summary: { keys: 2, sameEtag: 2, sameDigest: 0, sameSize: 0 },
      });
      expect((await run('fill', '--changed')).summary).toMatchObject({ replaced: 0, present: 2 });
      await putInParts(oldBucket, 'old/b', [randomBytes(SMALL_PART), two]);
      expect(await run('verify')).toMatchObject({ exitCode: 1, summary: { sameEtag: 1, different: 1 } });
      expect((await run('fill', '--changed')).summary).toMatchObject({ replaced: 1, present: 1 });
      expect(await run('verify')).toMatchObject({ exitCode: 0, summary: { sameEtag: 2 } });
    });
  });

  describe('a list', () => {
    it('may come by stdin', async () => {
      await using stage = await started();
      const { web, runOn, textOf } = stage;
      await stage.configure({ rules: [{ origins: [`${web.url}/base/`], allowPrivate: true }] });
      web.files.set('/base/a', { body: 'one' });
      web.files.set('/base/b', { body: 'two' });
      const list = `a\n${web.url}/base/b`;
      expect(await runOn(list, 'fill', '--list', '-')).toMatchObject({ exitCode: 0, summary: { filled: 2 } });
      expect(await textOf('b')).toBe('two');
      expect(await runOn(list, 'verify', '--list', '-')).toMatchObject({ exitCode: 0, summary: { keys: 2 } });
      expect(await runOn('', 'verify', '--list', '-')).toMatchObject({ exitCode: 0, summary: { keys: 0 } });
    });

    it('in the order of its keys is verified by listings, without a request for each key', async () => {
      await using stage = await started();
      await using front = await startS3Front(server.endpoint);
      const { oldBucket, put, run, runOn } = stage;
      const keys = Array.from({ length: MANY }, (_, index) => `k${String(index).padStart(5, '0')}`);
      const left = [...keys];
      const putAll = async (): Promise<void> => {
        for (let key = left.pop(); key !== undefined; key = left.pop())
          await put(oldBucket, `old/${key}`, key);
      };
      await Promise.all(Array.from({ length: 16 }, putAll));
      await configured(stage);
      expect((await run('fill')).summary).toMatchObject({ filled: MANY });
      const rules = [{ origins: [{ url: `s3://${oldBucket}/old/`, endpoint: front.endpoint }] }];
      await stage.configure({ s3Endpoint: front.endpoint, rules });
      const before = front.asked.length;
      const { exitCode, summary } = await runOn(keys.join('\n'), 'verify', '--list', '-');
      expect({ exitCode, summary }).toMatchObject({ exitCode: 0, summary: { keys: MANY, sameDigest: MANY } });
      // Two pages of each side, and the look whether the bucket is there.
      expect(front.asked.slice(before).filter(({ method }) => method === 'HEAD')).toEqual([]);
      expect(front.asked.length - before).toBeLessThan(10);
    });
  });

  describe('exit code 4', () => {
    it('tells that the bucket is away', async () => {
      await using stage = await started();
      await stage.configure({
        s3Endpoint: `http://127.0.0.1:${await freePort()}`,
        rules: [{ origins: [`${stage.web.url}/base/`], allowPrivate: true }],
      });
      for (const command of ['fill', 'verify'])
        expect(await stage.runOn('a', command, '--list', '-')).toMatchObject({
          exitCode: 4,
          summary: { error: { code: 'UNREACHABLE' } },
        });
    });

    it('tells that the origin is away, of whom so many keys in a row were asked for a minute', async () => {
      await using stage = await started();
      const { at, run } = stage;
      const origin = `http://127.0.0.1:${await freePort()}/`;
      await stage.configure({ rules: [{ origins: [origin], allowPrivate: true, concurrency: 64 }] });
      const keys = Array.from({ length: 1000 }, (_, index) => `k${index}`);
      await writeFile(at('list'), keys.join('\n'));
      const { exitCode, summary } = await run('fill', '--list', at('list'), '--failed', at('failed'));
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 4,
        summary: { error: { code: 'UNREACHABLE' } },
      });
      // Those that were begun, and none of the others.
      expect(summary.failed).toBeGreaterThanOrEqual(32);
      expect(summary.failed).toBeLessThanOrEqual(128);
      const failed = (await readFile(at('failed'), 'utf8')).trim().split('\n');
      expect(failed).toHaveLength(summary.failed);
      for (const key of failed) expect(keys).toContain(key);
    });
  });
});
