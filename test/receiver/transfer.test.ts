import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { MAX_CHUNK_BYTES } from '../../src/protocol/limits.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { connect, greet, inlineFile } from './wire-client.ts';

const MIB = 1024 * 1024;

describe('a session that writes', () => {
  it('is welcomed with the limits in force', async () => {
    const { url } = await receiverFor(gatedStore().store, {
      software: 'isync test',
      limits: { requests: 3 },
    });
    const client = await connect(url);
    client.hello('edge1', { version: 9 });
    expect(await client.next('welcome')).toMatchObject({
      version: 1,
      device: 'edge1',
      software: 'isync test',
      session: expect.stringMatching(/^[0-9a-f-]{36}$/),
      limits: { filesInFlight: 4096, openUploads: 16, requests: 3 },
    });
  });

  it('keeps small files and acknowledges them in one message', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const files = Array.from({ length: 100 }, (_, i) => inlineFile(`DC1/sub/f${i}`, `content ${i}`, -i));
    client.say({ type: 'files', firstId: 1, files });
    client.say({ type: 'files', firstId: 101, files: [inlineFile('DC1/empty', '')] });
    const acks = await client.acknowledged(101);
    expect(acks).toEqual(Array.from({ length: 101 }, (_, i) => i + 1));
    expect(store.paths()).toHaveLength(101);
    expect(store.text('edge1/DC1/sub/f42')).toBe('content 42');
    expect(store.contents.files.get(parseRelPath('edge1/DC1/sub/f42'))?.entry.mtimeUs).toBe(-42);
  });

  it('keeps a large file, and an empty one, that come in chunks', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const content = randomBytes(3 * MIB + 17);
    client.upload(1, 'DC1/large', content);
    client.upload(2, 'DC1/empty', Buffer.alloc(0));
    expect(await client.acknowledged(2)).toEqual([1, 2]);
    expect(store.bytes('edge1/DC1/large')?.equals(content)).toBe(true);
    expect(store.text('edge1/DC1/empty')).toBe('');
  });

  it('takes uploads that are sent interleaved with each other and with small files', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const [a, b] = [randomBytes(MIB), randomBytes(MIB)];
    client.open(1, 'DC1/a', MIB);
    client.open(2, 'DC1/b', MIB);
    for (let at = 0; at < MIB; at += MAX_CHUNK_BYTES) {
      client.say({ type: 'chunk', id: 1, offset: at, content: a.subarray(at, at + MAX_CHUNK_BYTES) });
      client.say({ type: 'chunk', id: 2, offset: at, content: b.subarray(at, at + MAX_CHUNK_BYTES) });
    }
    client.say({ type: 'files', firstId: 3, files: [inlineFile('DC1/c', 'c')] });
    client.say({ type: 'end', id: 2, digest: digestOf('xxh64', b) });
    client.say({ type: 'end', id: 1, digest: digestOf('xxh64', a) });
    expect(await client.acknowledged(3)).toEqual([1, 2, 3]);
    expect(store.bytes('edge1/DC1/a')?.equals(a)).toBe(true);
    expect(store.bytes('edge1/DC1/b')?.equals(b)).toBe(true);
  });

  it('checks sha256 where HELLO asks for it', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1', { hello: { digest: 'sha256' } });
    const file = inlineFile('DC1/a', 'content');
    client.say({
      type: 'files',
      firstId: 1,
      files: [
        { ...file, digest: digestOf('sha256', file.content) },
        { ...file, digest: Buffer.alloc(32) },
      ],
    });
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'DIGEST_MISMATCH', retryable: true });
    expect(await client.acknowledged(1)).toEqual([1]);
  });

  it('does not acknowledge before the store has kept the file', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    store.shut();
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    client.say({ type: 'look', request: 1, digest: false, paths: [parseRelPath('DC1/a')] });
    expect((await client.next('looked')).files).toEqual([undefined]);
    expect(client.inbox).toEqual([]);
    store.open();
    expect(await client.acknowledged(1)).toEqual([1]);
  });

  it('keeps the version of a file that was sent last', async () => {
    const store = gatedStore();
    let puts = 0;
    const order = vi.spyOn(store.store, 'put').mockImplementation(async (file, bytes) => {
      // The first one takes longest: overtaken unless the session holds the order.
      const turns = 20 - 5 * puts++;
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      store.contents.files.set(file.path, { entry: file, bytes });
    });
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const files = ['one', 'two', 'three'].map((text, i) => inlineFile('DC1/a', text, i));
    client.say({ type: 'files', firstId: 1, files });
    expect(await client.acknowledged(3)).toEqual([1, 2, 3]);
    expect(order).toHaveBeenCalledTimes(3);
    expect(store.text('edge1/DC1/a')).toBe('three');
  });

  it('keeps the order of all files of one path, in messages of many and as uploads', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const message = (text: string, at: number) =>
      ['a', 'b', 'a', 'c'].map((name, i) => inlineFile(`DC1/${name}`, `${text} ${i}`, at + i));
    store.shut();
    client.say({ type: 'files', firstId: 1, files: message('first', 0) });
    client.say({ type: 'files', firstId: 5, files: message('second', 10) });
    client.upload(9, 'DC1/b', Buffer.from('upload'));
    client.say({ type: 'files', firstId: 10, files: [inlineFile('DC1/c', 'last', 20)] });
    client.say({ type: 'look', request: 1, digest: false, paths: [parseRelPath('DC1/a')] });
    expect((await client.next('looked')).files).toEqual([undefined]);
    store.open();
    expect(await client.acknowledged(10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(['a', 'b', 'c'].map((name) => store.text(`edge1/DC1/${name}`))).toEqual([
      'second 2',
      'upload',
      'last',
    ]);
  });

  it('reuses the room of acknowledged, refused and cancelled files', async () => {
    const { url } = await receiverFor(gatedStore().store, { limits: { filesInFlight: 2, openUploads: 1 } });
    const client = await greet(url, 'edge1');
    let id = 1;
    for (let round = 0; round < 3; round++) {
      client.say({ type: 'files', firstId: id++, files: [inlineFile('DC1/a', 'a')] });
      await client.acknowledged(1);
      client.say({ type: 'files', firstId: id++, files: [inlineFile('too-shallow', 'a')] });
      expect((await client.next('refused')).code).toBe('BAD_PATH');
      client.open(id, 'DC1/b', 10);
      client.say({ type: 'cancel', id: id++, keep: false });
      client.open(id, 'DC1/finished.watch', 10);
      expect((await client.next('refused')).code).toBe('BAD_PATH');
      client.say({ type: 'cancel', id: id++, keep: false });
    }
    client.say({ type: 'files', firstId: id, files: [inlineFile('DC1/a', 'a'), inlineFile('DC1/b', 'b')] });
    expect(await client.acknowledged(2)).toEqual([id, id + 1]);
  });
});

describe('a refusal', () => {
  it('is about one file and leaves the session and the other files alone', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const broken = { ...inlineFile('DC1/broken', 'content'), digest: Buffer.alloc(8) };
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a'), broken] });
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'DIGEST_MISMATCH', retryable: true });
    expect(await client.acknowledged(1)).toEqual([1]);
    expect(store.paths()).toEqual(['edge1/DC1/a']);
  });

  it('meets a file where a folder is needed', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    await client.acknowledged(1);
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/a/b', 'b')] });
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'PATH_CONFLICT', retryable: false });
  });

  it.each(['top-level', 'DC1/finished.watch', `${'x'.repeat(254)}/`.repeat(16) + 'y'.repeat(14)])(
    'meets a path that no file of a data directory has: %.40s',
    async (path) => {
      const store = gatedStore();
      const { url } = await receiverFor(store.store);
      const client = await greet(url, 'edge1');
      client.say({ type: 'files', firstId: 1, files: [inlineFile(path, 'x')] });
      expect(await client.next('refused')).toMatchObject({ id: 1, code: 'BAD_PATH', retryable: false });
      client.upload(2, path, Buffer.from('x'));
      expect(await client.next('refused')).toMatchObject({ id: 2, code: 'BAD_PATH', retryable: false });
      expect(store.paths()).toEqual([]);
    },
  );

  it('does not meet finished.watch deeper down, nor finished.parse', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const files = ['DC1/sub/finished.watch', 'DC1/finished.parse'].map((path) => inlineFile(path, ''));
    client.say({ type: 'files', firstId: 1, files });
    expect(await client.acknowledged(2)).toEqual([1, 2]);
  });

  it('in the middle of an upload lets what was under way pass until CANCEL', async () => {
    const store = gatedStore();
    const full = Object.assign(new Error('disk'), { name: 'Error' });
    const begin = store.store.begin.bind(store.store);
    vi.spyOn(store.store, 'begin').mockImplementation(async (file, options) => {
      const upload = await begin(file, options);
      let writes = 0;
      const write = upload.write.bind(upload);
      upload.write = async (...chunks) => {
        for (const bytes of chunks) {
          if (++writes === 2) throw full;
          await write(bytes);
        }
      };
      return upload;
    });
    const { url, log } = await receiverFor(store.store, { limits: { openUploads: 1 } });
    const client = await greet(url, 'edge1');
    client.open(1, 'DC1/a', 100);
    client.chunks(1, Buffer.alloc(60), 0, 10);
    // What is no IsyncError is a fault of ours: logged, told as such, and no reason to end the session.
    expect(await client.next('refused')).toMatchObject({ id: 1, code: 'INTERNAL', retryable: true });
    client.say({ type: 'chunk', id: 1, offset: 77, content: Buffer.alloc(3) });
    client.say({ type: 'cancel', id: 1, keep: false });
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/b', 'b')] });
    expect(await client.acknowledged(1)).toEqual([2]);
    client.upload(3, 'DC1/c', Buffer.from('c'));
    expect(await client.acknowledged(1)).toEqual([3]);
    expect(log.at('error')).toMatchObject([{ message: 'fault in the store', fields: { err: full } }]);
  });

  it.each([
    { error: new IsyncError('STORE_FULL', 'no space left', { retryable: true }), kept: 1000 },
    { error: new IsyncError('FILE_TOO_LARGE', 'over the limit'), kept: 0 },
  ])(
    'of an upload that may be tried again keeps its bytes, any other none: $error.code',
    async (expected) => {
      const store = gatedStore();
      const begin = store.store.begin.bind(store.store);
      vi.spyOn(store.store, 'begin').mockImplementationOnce(async (file, options) => {
        const upload = await begin(file, options);
        const write = upload.write.bind(upload);
        upload.write = async (...chunks) => {
          for (const bytes of chunks) {
            if (upload.offset > 0) throw expected.error;
            await write(bytes);
          }
        };
        return upload;
      });
      const { url } = await receiverFor(store.store);
      const client = await greet(url, 'edge1');
      client.open(1, 'DC1/a', 5000);
      client.chunks(1, Buffer.alloc(2000), 0, 1000);
      const { code, message, retryable } = expected.error;
      expect(await client.next('refused')).toEqual({ type: 'refused', id: 1, code, message, retryable });
      client.say({ type: 'cancel', id: 1, keep: false });
      client.open(2, 'DC1/a', 5000, true);
      expect(await client.next('offset')).toMatchObject({ offset: expected.kept });
    },
  );

  it('of an upload with a wrong digest leaves nothing to resume', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    client.open(1, 'DC1/a', 4);
    client.chunks(1, Buffer.from('abcd'));
    client.say({ type: 'end', id: 1, digest: Buffer.alloc(8) });
    expect(await client.next('refused')).toMatchObject({ id: 1, code: 'DIGEST_MISMATCH', retryable: true });
    client.open(2, 'DC1/a', 4, true);
    expect(await client.next('offset')).toEqual({ type: 'offset', id: 2, offset: 0 });
  });
});

describe('an upload', () => {
  const content = randomBytes(MIB);

  it('resumes in the next session, and after a restart of the receiver', async () => {
    const store = gatedStore();
    const first = await receiverFor(store.store);
    const one = await greet(first.url, 'edge1');
    one.open(1, 'DC1/a', content.length);
    one.chunks(1, content.subarray(0, 300_000));
    one.ws.terminate();

    const two = await greet(first.url, 'edge1');
    two.open(1, 'DC1/a', content.length, true);
    const { offset } = await two.next('offset');
    expect(offset).toBeLessThanOrEqual(300_000);
    two.chunks(1, content.subarray(0, 600_000), offset);
    two.say({ type: 'look', request: 1, digest: false, paths: [] });
    await two.next('looked');
    await first.receiver[Symbol.asyncDispose]();
    expect((await two.closed).code).toBe(1001);

    const second = await receiverFor(store.store);
    const three = await greet(second.url, 'edge1');
    three.open(1, 'DC1/a', content.length, true);
    expect(await three.next('offset')).toEqual({ type: 'offset', id: 1, offset: 600_000 });
    three.chunks(1, content, 600_000);
    three.say({ type: 'end', id: 1, digest: digestOf('xxh64', content) });
    expect(await three.acknowledged(1)).toEqual([1]);
    expect(store.bytes('edge1/DC1/a')?.equals(content)).toBe(true);
  });

  it('that is cancelled is kept or thrown away as the sender says, and can be opened again at once', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    client.open(1, 'DC1/a', content.length);
    client.chunks(1, content.subarray(0, 1000));
    client.say({ type: 'cancel', id: 1, keep: true });
    client.open(2, 'DC1/a', content.length, true);
    expect(await client.next('offset')).toEqual({ type: 'offset', id: 2, offset: 1000 });
    client.say({ type: 'cancel', id: 2, keep: false });
    client.open(3, 'DC1/a', content.length, true);
    expect(await client.next('offset')).toEqual({ type: 'offset', id: 3, offset: 0 });
  });

  it('of a file that is open already is refused, to be tried again', async () => {
    const { url } = await receiverFor(gatedStore().store);
    const client = await greet(url, 'edge1');
    client.open(1, 'DC1/a', 10);
    client.open(2, 'DC1/a', 10);
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'BUSY', retryable: true });
  });
});
