import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startMirrorBulkStage } from '../../harness/mirror-bulk-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const LATER = new Date('2021-01-01T00:00:00Z');

await withS3Server((server) => {
  const started = async () => await startMirrorBulkStage(server);

  const fromWeb = (url: string, more: object = {}) => ({
    rules: [{ origins: [`${url}/base/`], allowPrivate: true, timeouts: { connect: '5s' }, ...more }],
  });
  const fromBucket = (oldBucket: string, more: object = {}) => ({
    rules: [{ origins: [{ url: `s3://${oldBucket}/old/`, endpoint: server.endpoint }], ...more }],
  });

  describe('isync mirror fill', () => {
    it('fills the keys and URLs of a list, and goes on where it was', async () => {
      await using stage = await started();
      const { web, at, run, textOf, headOf } = stage;
      await stage.configure(fromWeb(web.url, { types: ['text/*'] }));
      web.files.set('/base/a', { body: 'one' });
      web.files.set('/base/b/ä %', { body: 'two' });
      web.files.set('/base/c d', { body: 'three' });
      web.files.set('/base/image', { body: 'x', type: 'image/png' });
      const list = [
        'a',
        `${web.url}/base/b/%C3%A4%20%25\r`,
        '',
        `${web.url}/base/c d`,
        'gone',
        'image',
        '../up',
        // Keys that stand above already.
        '/a',
        '/c%20d?x=1',
      ];
      await writeFile(at('list'), list.join('\n'));
      const first = await run('fill', '--list', at('list'), '--failed', at('failed'));
      expect(first).toMatchObject({
        exitCode: 1,
        summary: { filled: 3, bytes: 11, present: 2, absent: 1, failed: 2, exitCode: 1 },
      });
      expect(await Promise.all(['a', 'b/ä %', 'c d'].map(textOf))).toEqual(['one', 'two', 'three']);
      expect(await textOf('image')).toBeUndefined();
      expect((await headOf('a')).Metadata).toMatchObject({ 'isync-filled-by': 'fill', 'isync-size': '3' });
      expect((await readFile(at('failed'), 'utf8')).split('\n').toSorted()).toEqual(['', '../up', 'image']);

      await stage.configure(fromWeb(web.url));
      web.asked.length = 0;
      const again = await run('fill', '--list', at('failed'), '--failed', at('failed2'));
      expect(again).toMatchObject({ exitCode: 1, summary: { filled: 1, failed: 1 } });
      const whole = await run('fill', '--list', at('list'), '--failed', at('failed'));
      expect(whole.summary).toMatchObject({ filled: 0, present: 6, absent: 1 });
      expect(web.asked.toSorted()).toEqual(['GET /base/gone', 'GET /base/image']);
    });

    it('fetches what has changed again, and leaves alone what the application has changed', async () => {
      await using stage = await started();
      const { web, at, run, textOf } = stage;
      await stage.configure(fromWeb(web.url));
      const names = ['same', 'newer', 'longer', 'theirs', 'copied'];
      for (const name of names) web.files.set(`/base/${name}`, { body: `old ${name}` });
      await writeFile(at('list'), names.join('\n'));
      expect((await run('fill', '--list', at('list'))).summary).toMatchObject({ filled: 5 });
      const { Metadata } = await stage.headOf('copied');
      await stage.put(stage.bucket, 'pre/theirs', 'by the application');
      // With our metadata, as programs do that change an object.
      await stage.put(stage.bucket, 'pre/copied', 'old COPIED', { Metadata });
      web.files.set('/base/newer', { body: 'new newer', modified: LATER });
      web.files.set('/base/longer', { body: 'longer than before' });
      web.files.set('/base/theirs', { body: 'new theirs', modified: LATER });
      web.files.set('/base/copied', { body: 'new copied', modified: LATER });
      expect((await run('fill', '--list', at('list'))).summary).toMatchObject({ present: 5, replaced: 0 });
      const dry = await run('fill', '--list', at('list'), '--changed', '--dry-run');
      expect(dry.summary).toMatchObject({ replaced: 2, dryRun: true });
      expect(await textOf('newer')).toBe('old newer');
      const { exitCode, summary, stderr } = await run('fill', '--list', at('list'), '--changed');
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 0,
        summary: { filled: 0, replaced: 2, present: 1, failed: 0 },
      });
      expect(summary.untouched).toBe(2);
      expect(stderr).toContain('theirs');
      expect(await Promise.all(names.map(textOf))).toEqual([
        'old same',
        'new newer',
        'longer than before',
        'by the application',
        'old COPIED',
      ]);
    });

    it('fills all of an old bucket by its listing, as the rule names it', async () => {
      await using stage = await started();
      const { oldBucket, run, textOf, put } = stage;
      await stage.configure({
        ...fromBucket(oldBucket, { match: { prefix: 'img/' }, key: { strip: 'img/', add: 'pictures/' } }),
        except: ['img/tmp/**'],
      });
      // U+FFFD before U+1F600 in UTF-8, and after it in UTF-16.
      const names = ['a', 'b/ä', 'b/\uFFFD', 'b/\u{1F600}', 'z'];
      for (const name of names) await put(oldBucket, `old/pictures/${name}`, name);
      await put(oldBucket, 'old/pictures/tmp/x', 'never');
      await put(oldBucket, 'old/other', 'of no rule');
      await put(stage.bucket, 'pre/img/b/\uFFFD', 'there already');
      await put(oldBucket, 'old/pictures/b/../c', 'no key of a mirror');
      const { exitCode, summary } = await run('fill');
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 1,
        summary: { filled: 4, present: 1, failed: 1 },
      });
      expect(summary.failures).toMatchObject([{ key: 'img/b/../c' }]);
      expect(await textOf('img/tmp/x')).toBeUndefined();
      expect(await textOf('img/b/\u{1F600}')).toBe('b/\u{1F600}');
      expect(await textOf('img/b/\uFFFD')).toBe('there already');
      expect((await run('fill')).summary).toMatchObject({ filled: 0, present: 5 });
    });

    it('ends well when it is stopped', async () => {
      await using stage = await started();
      const { web, at } = stage;
      await stage.configure(fromWeb(web.url, { concurrency: 2 }));
      await writeFile(at('list'), Array.from({ length: 1000 }, (_, index) => `key${index}`).join('\n'));
      const held: (() => void)[] = [];
      web.instead = (_, response) => {
        response.writeHead(200, { 'content-length': 4, 'content-type': 'text/plain' });
        response.write('ab');
        held.push(() => response.end('cd'));
      };
      await using fill = stage.start('fill', '--list', at('list'));
      await fill.until('two keys are on their way', () => held.length === 2);
      fill.signal('SIGTERM');
      await fill.until('it knows', () => fill.stderr.includes('SIGTERM'));
      for (const finish of held) finish();
      const { exitCode, stdout } = await fill.ended;
      expect(exitCode).toBe(130);
      expect(JSON.parse(stdout)).toMatchObject({ filled: 2, failed: 0, exitCode: 130 });
      expect(web.asked).toHaveLength(2);
      expect(await stage.textOf('key0')).toBe('abcd');
    });

    it('wants a list where the origin can not be listed', async () => {
      await using stage = await started();
      await stage.configure(fromWeb(stage.web.url));
      expect(await stage.run('fill')).toMatchObject({ exitCode: 2, summary: { error: { code: 'USAGE' } } });
    });
  });

  describe('isync mirror verify', () => {
    it('lists what is missing or different at a web server', async () => {
      await using stage = await started();
      const { web, at, run, put } = stage;
      await stage.configure(fromWeb(web.url));
      for (const name of ['right', 'short', 'newer', 'lost']) web.files.set(`/base/${name}`, { body: name });
      await writeFile(at('list'), ['right', 'short', 'newer'].join('\n'));
      expect(await run('fill', '--list', at('list'))).toMatchObject({ exitCode: 0 });
      expect(await run('verify', '--list', at('list'))).toMatchObject({
        exitCode: 0,
        summary: { keys: 3, missing: 0, different: 0 },
      });
      await put(stage.bucket, 'pre/short', 'sho');
      web.files.set('/base/newer', { body: 'NEWER', modified: LATER });
      await writeFile(at('list'), ['right', 'short', 'newer', 'lost', 'nowhere'].join('\n'));
      const { exitCode, summary } = await run('verify', '--list', at('list'), '--failed', at('wrong'));
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 1,
        summary: { keys: 5, missing: 1, different: 2, absent: 1, failed: 0 },
      });
      const found = summary.differences.map(
        ({ code, path }: { code: string; path: string }) => `${code} ${path}`,
      );
      expect(found.toSorted()).toEqual(['DIFFERENT newer', 'DIFFERENT short', 'MISSING lost']);
      expect((await readFile(at('wrong'), 'utf8')).split('\n').toSorted()).toEqual([
        '',
        'lost',
        'newer',
        'short',
      ]);
      web.instead = (_, response) => void response.writeHead(403).end();
      const refused = await run('verify', '--list', at('list'));
      expect(refused).toMatchObject({ exitCode: 1, summary: { failed: 5, missing: 0 } });
    });

    it('proves nothing with a list of which no key is one', async () => {
      await using stage = await started();
      const { web, at, run } = stage;
      await stage.configure(fromWeb(web.url));
      await writeFile(at('list'), 'https://elsewhere.example/base/a\ngone\n');
      const { exitCode, summary } = await run('verify', '--list', at('list'));
      expect([exitCode, summary.keys, summary.unruled, summary.absent]).toEqual([1, 2, 1, 1]);
    });

    it('compares digests with an old bucket, and finds other bytes of the same size', async () => {
      await using stage = await started();
      const { oldBucket, run, put } = stage;
      await stage.configure(fromBucket(oldBucket));
      for (const name of ['a', 'b', 'c']) await put(oldBucket, `old/${name}`, `text of ${name}`);
      await run('fill');
      expect((await run('verify')).summary).toMatchObject({ keys: 3, sameDigest: 3, exitCode: 0 });
      await put(stage.bucket, 'pre/b', 'TEXT of b');
      await put(oldBucket, 'old/d', 'not filled');
      const { exitCode, summary } = await run('verify');
      expect({ exitCode, summary }).toMatchObject({
        exitCode: 1,
        summary: { keys: 4, sameDigest: 2, missing: 1, different: 1 },
      });
      expect(summary.differences).toMatchObject(
        [
          { path: 'd', code: 'MISSING' },
          { path: 'b', code: 'DIFFERENT', message: expect.stringContaining('MD5') },
        ].toSorted((one, other) =>
          summary.differences[0].path === one.path ? -1 : Number(other.path === 'd'),
        ),
      );
    });
  });

  describe('isync mirror report', () => {
    it('tells what requests have filled, and what the log of the server tells beside it', async () => {
      await using stage = await started();
      const { web, at, run, put } = stage;
      await stage.configure(fromWeb(web.url));
      web.files.set('/base/img/by-fill', { body: 'x' });
      await writeFile(at('list'), 'img/by-fill');
      await run('fill', '--list', at('list'));
      await put(stage.bucket, 'pre/app/own', 'x');
      expect(await run('report')).toMatchObject({
        exitCode: 0,
        summary: {
          isEmpty: true,
          prefixes: [],
          bucket: { objects: 2, byFill: 1, byOthers: 1, byRequest: 0 },
        },
      });

      await using mirror = stage.start('--listen', '127.0.0.1:0');
      await mirror.until('it listens', () => mirror.stdout.includes('"started"'));
      const { url } = JSON.parse(mirror.stdout.split('\n')[0] ?? '');
      web.files.set('/base/img/asked', { body: 'for' });
      web.files.set('/base/top', { body: 'for' });
      for (const key of ['img/asked', 'top', 'img/asked', 'gone'])
        await (await fetch(`${url}/${key}`)).arrayBuffer();
      await mirror.until('it is in the log', () => mirror.stderr.includes('"gone"'));
      mirror.signal('SIGTERM');
      const { stderr } = await mirror.ended;
      const line = {
        time: '2001-01-01T00:00:00Z',
        msg: 'request',
        key: 'old/x',
        outcome: 'MISS',
        status: 200,
      };
      const sent = { ...line, time: new Date().toISOString(), key: 'big/x', outcome: 'BYPASS', status: 302 };
      await writeFile(at('log'), [JSON.stringify(line), 'no JSON', JSON.stringify(sent), stderr].join('\n'));
      const { summary } = await run('report', '--days', '1', '--log', at('log'));
      const last = expect.any(String);
      expect(summary.prefixes).toEqual(
        [
          { prefix: 'img/', filled: 1, filledBytes: 3, asked: 1, redirected: 0, last },
          { prefix: '', filled: 1, filledBytes: 3, asked: 1, redirected: 0, last },
          { prefix: 'big/', filled: 0, filledBytes: 0, asked: 0, redirected: 1, last },
        ].toSorted((a, b) => b.filled - a.filled || (a.prefix < b.prefix ? -1 : 1)),
      );
      expect(summary.log).toMatchObject({ unreadable: 1, asked: 2, redirected: 1 });
    });
  });
});
