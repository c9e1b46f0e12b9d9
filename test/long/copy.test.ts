import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from '../events/copy-stage.ts';

const MIB = 1024 * 1024;
/** So that objects of some MiB are large. */
const SMALL_LIMITS = {
  wholeBytes: 6 * MIB,
  partBytes: 5 * MIB,
  serverWholeBytes: 6 * MIB,
  serverPartBytes: 5 * MIB,
};
const LARGE_BYTES = 11 * MIB;
const ATTRIBUTES = {
  ContentType: 'text/x-test',
  ContentEncoding: 'identity',
  ContentLanguage: 'sah',
  ContentDisposition: 'inline',
  CacheControl: 'max-age=7',
  Expires: new Date('2031-05-06T07:08:09Z'),
  Metadata: { mtime: '1.5', 'two-words': 'a b' },
};
const ODD_KEYS = [
  'a//b',
  'two words',
  'a+b',
  'a%2Fb',
  'ä/😀',
  '/leading',
  "it's (1)*!",
  '../up',
  './here',
  '-x',
  'tail/',
];
const BOTH = [
  ['from one server to another', false],
  ['within a server', true],
] as const;

await withS3Server((server) => {
  describe.each(BOTH)('%s', (_, isOneServer) => {
    it('copies bytes, metadata, headers and tags, and leaves an equal object alone', async () => {
      const stage = await CopyStage.start(server);
      const worker = stage.open({ isOneServer, target: { prefix: 'p/' } });
      await stage.put('k', 'bytes', { ...ATTRIBUTES, Tagging: 'a=1&b=x%20y' });
      expect(await worker.created('k')).toEqual({ outcome: 'written', bytes: 5 });
      expect(await stage.text('p/k')).toBe('bytes');
      expect(await stage.head('p/k')).toMatchObject(ATTRIBUTES);
      expect(await stage.tags('p/k')).toEqual({ a: '1', b: 'x y' });
      const before = stage.writes();
      expect(await worker.created('k')).toEqual({ outcome: 'unchanged' });
      expect(stage.writes()).toEqual(before);
      expect(stage.again).toBe(0);
      expect(stage.log.lines).toEqual([]);
    });

    it('copies other metadata of the same bytes', async () => {
      const stage = await CopyStage.start(server);
      const worker = stage.open({ isOneServer });
      await stage.put('k', 'bytes', ATTRIBUTES);
      await worker.created('k');
      const changed = { ...ATTRIBUTES, CacheControl: 'no-store', Metadata: { mtime: '2' } };
      await stage.put('k', 'bytes', changed);
      expect(await worker.created('k')).toEqual({ outcome: 'written', bytes: 5 });
      expect(await stage.head('k')).toMatchObject(changed);
    });

    it('copies keys and sizes at the edges', async () => {
      const stage = await CopyStage.start(server);
      const worker = stage.open({ isOneServer });
      for (const key of ODD_KEYS) await stage.put(key);
      await stage.put('empty', '');
      await Promise.all(['empty', ...ODD_KEYS].map(async (key) => await worker.created(key)));
      expect(await stage.copies()).toHaveLength(ODD_KEYS.length + 1);
      for (const key of ODD_KEYS) expect(await stage.text(key)).toBe(`content of ${key}`);
      expect((await stage.head('empty')).ContentLength).toBe(0);
    });

    it('copies large objects in parts, knows them again, and leaves no upload behind', async () => {
      const stage = await CopyStage.start(server);
      const worker = stage.open({ isOneServer, limits: SMALL_LIMITS });
      await stage.put('k', randomBytes(LARGE_BYTES), { ...ATTRIBUTES, Tagging: 'a=1' });
      expect(await worker.created('k')).toEqual({ outcome: 'written', bytes: LARGE_BYTES });
      expect(await stage.digest(stage.to, 'k')).toBe(await stage.digest(stage.from, 'k'));
      const { Metadata, ...headers } = ATTRIBUTES;
      const copy = await stage.head('k');
      expect(copy).toMatchObject({
        ...headers,
        Metadata: { ...Metadata, 'isync-source-etag': expect.any(String) },
      });
      expect(copy.ETag).toMatch(/-3"$/);
      expect(await stage.tags('k')).toEqual({ a: '1' });
      expect(await worker.created('k')).toEqual({ outcome: 'unchanged' });
      expect(await stage.uploads()).toEqual([]);
    });

    it('an object that was put in parts is known again, though its copy has another ETag', async () => {
      const stage = await CopyStage.start(server);
      await stage.putParts('k', [randomBytes(5 * MIB), randomBytes(1000)]);
      const worker = stage.open({ isOneServer });
      expect(await worker.created('k')).toMatchObject({ outcome: 'written' });
      expect(await stage.digest(stage.to, 'k')).toBe(await stage.digest(stage.from, 'k'));
      expect(await worker.created('k', { size: 5 * MIB + 1000 })).toEqual({ outcome: 'unchanged' });
      // A copy of a copy says what it was made of itself.
      expect(Object.keys((await stage.head('k')).Metadata ?? {})).toEqual(['isync-source-etag']);
    });

    it('follows a removal, once', async () => {
      const stage = await CopyStage.start(server);
      const worker = stage.open({ isOneServer });
      await stage.put('k');
      await worker.created('k');
      expect(await worker.removed('k')).toEqual({ outcome: 'unchanged' });
      await stage.delete('k');
      expect(await worker.created('k')).toEqual({ outcome: 'missing' });
      expect(await stage.copies()).toEqual(['k']);
      expect(await stage.open({ isOneServer, removals: false }).removed('k')).toEqual({
        outcome: 'unchanged',
      });
      expect(await worker.removed('k')).toEqual({ outcome: 'removed' });
      expect(await stage.copies()).toEqual([]);
      expect(await worker.removed('k')).toEqual({ outcome: 'unchanged' });
      expect(stage.writes().filter((method) => method === 'DELETE')).toHaveLength(1);
    });

    it('a created event is believed at its last look to be of an object that is gone by now', async () => {
      const stage = await CopyStage.start(server);
      await stage.putCopy('k', 'old');
      expect(await stage.open({ isOneServer }).created('k', { isLastLook: true })).toEqual({
        outcome: 'removed',
      });
    });

    it('of a copy that is held back, and a newer one of another worker, the newer stands at the end', async () => {
      const stage = await CopyStage.start(server);
      const [slow, quick] = [stage.open({ isOneServer }), stage.open({ isOneServer })];
      await stage.put('k', 'old');
      const held = stage.holdWrite();
      const older = slow.created('k');
      await held.reached;
      await stage.put('k', 'newer');
      expect(await quick.created('k')).toMatchObject({ outcome: 'written' });
      held.release();
      await older;
      expect(await stage.text('k')).toBe('newer');
      expect(stage.again).toBe(1);
    });

    it('of a copy that is held back, and a removal by another worker, the removal stands at the end', async () => {
      const stage = await CopyStage.start(server);
      const [slow, quick] = [stage.open({ isOneServer }), stage.open({ isOneServer })];
      await stage.put('k', 'old');
      await quick.created('k');
      await stage.put('k', 'newer');
      const held = stage.holdWrite();
      const copy = slow.created('k');
      await held.reached;
      await stage.delete('k');
      expect(await quick.removed('k')).toEqual({ outcome: 'removed' });
      held.release();
      await Promise.allSettled([copy]);
      expect(await stage.copies()).toEqual([]);
    });

    it('of a removal that is held back, and a copy by another worker, the copy stands at the end', async () => {
      const stage = await CopyStage.start(server);
      const [slow, quick] = [stage.open({ isOneServer }), stage.open({ isOneServer })];
      await stage.putCopy('k', 'old');
      const held = stage.holdWrite();
      const removal = slow.removed('k');
      await held.reached;
      await stage.put('k', 'newer');
      expect(await quick.created('k')).toMatchObject({ outcome: 'written' });
      held.release();
      expect(await removal).toMatchObject({ outcome: 'written' });
      expect(await stage.text('k')).toBe('newer');
      expect(stage.again).toBe(1);
    });
  });

  it('mixes no two versions: an object that is replaced while its parts are read is begun anew', async () => {
    const stage = await CopyStage.start(server);
    const newer = randomBytes(LARGE_BYTES);
    await stage.put('k', randomBytes(LARGE_BYTES));
    let gets = 0;
    stage.source.before = async ({ method }) => {
      if (method === 'GET' && ++gets === 2) await stage.put('k', newer);
    };
    const worker = stage.open({ limits: { ...SMALL_LIMITS, partsAtOnce: 1 } });
    expect(await worker.created('k', { size: LARGE_BYTES })).toEqual({
      outcome: 'written',
      bytes: LARGE_BYTES,
    });
    expect(await stage.digest(stage.to, 'k')).toBe(await stage.digest(stage.from, 'k'));
    expect(stage.again).toBe(1);
    expect(await stage.uploads()).toEqual([]);
  });

  it('what a copy in parts has put is thrown away when it fails, and what a killed one left, by a later one', async () => {
    const stage = await CopyStage.start(server);
    await stage.put('k', randomBytes(LARGE_BYTES));
    stage.target.refuse = ({ url = '' }) =>
      url.includes('partNumber=2') ? { status: 403, code: 'QuotaExceeded' } : undefined;
    const worker = stage.open({ limits: SMALL_LIMITS });
    await expect(worker.created('k')).rejects.toMatchObject({ code: 'STORE_FULL', retryable: true });
    expect(await stage.uploads()).toEqual([]);
    expect(await stage.copies()).toEqual([]);
    for (const key of ['k', 'k/other']) await stage.startUpload(key);
    stage.target.refuse = undefined;
    await stage.open({ limits: { ...SMALL_LIMITS, leftBehindMs: -60_000 } }).created('k');
    expect(await stage.uploads()).toEqual(['k/other']);
  });

  it('bytes that are not those of the ETag are never copied', async () => {
    const stage = await CopyStage.start(server);
    await stage.put('k');
    await using link = await faultyProxy(Number(new URL(server.endpoint).port));
    link.shape = (piece) => [
      Buffer.from(piece.toString('latin1').replace('content of', 'CONTENT of'), 'latin1'),
    ];
    const access = { endpoint: `http://127.0.0.1:${link.port}`, credentials: server.credentials };
    const worker = stage.open({ source: { access } });
    await expect(worker.created('k')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', retryable: false });
    expect(await stage.copies()).toEqual([]);
  });

  it('a target that shows something else than was put is written again, and then left for later', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open();
    await stage.put('k', 'bytes');
    let heads = 0;
    stage.target.before = async ({ method }) => {
      // Somebody else writes there between the copy and the look at it.
      if (method === 'HEAD' && ++heads % 2 === 0) await stage.putCopy('k', `other ${heads}`);
    };
    await expect(worker.created('k')).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: true });
    expect(stage.again).toBe(2);
    stage.target.before = undefined;
    await worker.created('k');
    expect(await stage.text('k')).toBe('bytes');
  });

  it('objects come without tags where the target takes none, which is said once', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open();
    for (const key of ['a', 'b']) await stage.put(key, key, { Tagging: 'x=1' });
    stage.target.refuse = ({ method, headers }) =>
      method === 'PUT' && 'x-amz-tagging' in headers ? { status: 403, code: 'AccessDenied' } : undefined;
    for (const key of ['a', 'b']) expect(await worker.created(key)).toMatchObject({ outcome: 'written' });
    expect(stage.log.messages).toEqual(['the target takes no tags: objects are copied without them']);
  });

  it('a server that refuses to copy by itself has the objects pass through here', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true });
    for (const key of ['a', 'b']) await stage.put(key, key);
    stage.source.refuse = ({ headers }) =>
      'x-amz-copy-source' in headers ? { status: 403, code: 'AccessDenied' } : undefined;
    for (const key of ['a', 'b']) expect(await worker.created(key)).toMatchObject({ outcome: 'written' });
    expect(await stage.copies()).toEqual(['a', 'b']);
    // Once more by the SDK, which alone tells why.
    expect(stage.source.refused).toBe(2);
    expect(stage.log.messages).toEqual([
      'the server does not copy objects of this bucket: they pass through here',
    ]);
  });
});
