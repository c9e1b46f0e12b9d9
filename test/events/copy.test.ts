import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { faultyProxy } from '../../harness/faulty-proxy.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from './copy-stage.ts';

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
const keysBelow = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}k${String(index).padStart(2, '0')}`);
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

  it('new objects in a row take four requests each, and one that is there is compared all the same', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open();
    const keys = Array.from({ length: 9 }, (_, index) => `k${index}`);
    for (const key of [...keys, 'new', 'new-too', 'equal', 'other']) await stage.put(key);
    for (const key of keys) await worker.created(key);
    await stage.putCopy('equal', 'content of equal');
    await stage.putCopy('other', 'something');
    const counted = async (key: string) => {
      const before = [stage.source.asked.length, stage.target.asked.length];
      const { outcome } = await worker.created(key);
      const methods = [stage.source, stage.target].map((front, side) =>
        front.asked.slice(before[side]).map(({ method }) => method),
      );
      return { outcome, methods };
    };
    const four = {
      outcome: 'written',
      methods: [
        ['GET', 'HEAD'],
        ['PUT', 'HEAD'],
      ],
    };
    expect(await counted('new')).toEqual(four);
    expect(await counted('new-too')).toEqual(four);
    // It may be there because of the first try of that very request.
    expect(await counted('equal')).toEqual({
      outcome: 'unchanged',
      methods: [
        ['GET', 'HEAD'],
        ['PUT', 'HEAD'],
      ],
    });
    expect(await counted('other')).toMatchObject({ outcome: 'written' });
    expect(await stage.text('other')).toBe('content of other');
    expect(stage.log.lines).toEqual([]);
  });

  it('the server copies a new object in four requests, and removes a copy whose object has gone meanwhile', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true });
    await stage.put('k');
    const size = Buffer.byteLength('content of k');
    expect(await worker.created('k', { size })).toEqual({ outcome: 'written', bytes: size });
    expect(stage.source.asked.map(({ method }) => method)).toEqual(['HEAD', 'PUT', 'HEAD', 'HEAD']);
    await stage.put('gone');
    const held = stage.holdWrite('after');
    const copied = worker.created('gone', { size });
    await held.reached;
    await stage.delete('gone');
    held.release();
    expect(await copied).toEqual({ outcome: 'removed' });
    expect(await worker.created('none', { size })).toEqual({ outcome: 'missing' });
    expect(await stage.copies()).toEqual(['k']);
  });

  it('new objects by the thousand take three requests each, and some listings; an equal one is not copied again', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true, target: { prefix: 'p/' } });
    const [first, others] = [keysBelow('a/', 8), keysBelow('b/', 20)];
    const size = Buffer.byteLength('content of b/k00');
    const all = [...first, ...others, 'b/equal', 'b/other'];
    await Promise.all(all.map(async (key) => await stage.put(key)));
    await stage.putCopy('p/b/equal', 'content of b/equal');
    await stage.putCopy('p/b/other', 'something');
    for (const key of first) await worker.created(key, { size });
    const before = stage.source.asked.length;
    await Promise.all(others.map(async (key) => await worker.created(key, { size })));
    const asked = stage.source.asked.slice(before).map(({ method }) => method);
    expect(asked.filter((method) => method === 'GET')).toHaveLength(1);
    expect(asked).toHaveLength(1 + 3 * others.length);
    const writes = stage.writes();
    // It was there before the listing; these were not.
    for (const key of ['b/equal', ...others])
      expect(await worker.created(key, { size })).toEqual({ outcome: 'unchanged' });
    expect(stage.writes()).toEqual(writes);
    expect(await worker.created('b/other', { size })).toMatchObject({ outcome: 'written' });
    for (const key of all) expect(await stage.text(`p/${key}`)).toBe(`content of ${key}`);
    expect(stage.again).toBe(0);
    expect(stage.log.lines).toEqual([]);
  });

  it('a target that may not be listed is looked at key by key', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true });
    const keys = keysBelow('', 12);
    await Promise.all(keys.map(async (key) => await stage.put(key)));
    stage.source.refuse = ({ url = '' }) =>
      url.includes('list-type') ? { status: 403, code: 'AccessDenied' } : undefined;
    for (const key of keys)
      expect(await worker.created(key, { size: 20 })).toMatchObject({ outcome: 'written' });
    expect(stage.source.refused).toBe(1);
    expect(stage.source.asked).toHaveLength(4 * keys.length);
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

  it.each(BOTH)('a copy is not copied back to where it came from, %s', async (_, isOneServer) => {
    const stage = await CopyStage.start(server);
    const there = stage.open({ isOneServer });
    const back = stage.open({ isOneServer, target: { bucket: stage.from } });
    await stage.put('small', 'bytes', ATTRIBUTES);
    // The ETag of a copy of these is another one.
    await stage.putParts('parts', [randomBytes(5 * MIB), randomBytes(1000)]);
    for (const key of ['small', 'parts']) {
      const before = await stage.head(key, stage.from);
      expect(await there.created(key)).toMatchObject({ outcome: 'written' });
      expect(await back.created(key, { bucket: stage.to })).toEqual({ outcome: 'unchanged' });
      const after = await stage.head(key, stage.from);
      expect([after.ETag, after.LastModified]).toEqual([before.ETag, before.LastModified]);
    }
  });

  it.each([
    ['', false],
    ['', true],
    ['q/', false],
    ['q/', true],
  ])(
    'two webhooks that copy to each other end, below "p/" and "%s", within a server: %s',
    async (prefix, isOneServer) => {
      const stage = await CopyStage.start(server);
      const there = stage.open({ isOneServer, target: { prefix: 'p/' } });
      const back = stage.open({ isOneServer, target: { bucket: stage.from, prefix } });
      const size = Buffer.byteLength('content of k');
      await stage.put('k');
      let key = 'k';
      const outcomes: string[] = [];
      while (outcomes.at(-1) !== 'parked' && outcomes.length < 12) {
        const isThere = outcomes.length % 2 === 0;
        const { outcome } = isThere
          ? await there.created(key, { size })
          : await back.created(key, { size, bucket: stage.to });
        outcomes.push(outcome);
        key = `${isThere ? 'p/' : prefix}${key}`;
      }
      expect(outcomes).toEqual(['written', 'written', 'written', 'written', 'parked']);
      // Another object with such a key is copied.
      await stage.put(`${prefix}p/${prefix}p/other`);
      expect(await there.created(`${prefix}p/${prefix}p/other`)).toMatchObject({ outcome: 'written' });
    },
  );

  it('a copy of a copy is refused, also where one server has two names', async () => {
    const stage = await CopyStage.start(server);
    const access = { endpoint: stage.source.endpoint, credentials: server.credentials };
    const buckets = [stage.from];
    expect(() =>
      stage.open({ source: { buckets }, target: { access, bucket: stage.from, prefix: 'p/' } }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    const one = stage.open({ target: { access, bucket: stage.from, prefix: 'p/' } });
    await expect(one.created('p/k')).rejects.toThrow('below the prefix of the copies');
    await stage.put('p/k');
    const aliased = stage.open({ target: { bucket: stage.from, prefix: 'p/' } });
    expect(await aliased.created('p/k')).toMatchObject({
      outcome: 'parked',
      reason: expect.stringContaining('one server'),
    });
  });
});
