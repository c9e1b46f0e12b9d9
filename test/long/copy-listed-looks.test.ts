import { PutObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage, type StageOptions, type Worker } from '../events/copy-stage.ts';

/** Enough that they are looked at together. */
const KEYS = Array.from({ length: 24 }, (_, index) => `d/k${String(index).padStart(2, '0')}`);
const SIZE = Buffer.byteLength('content of d/k00');
const WRITTEN = { outcome: 'written', bytes: SIZE };
/** Objects that were put just now are at rest. */
const ANY_AGE: StageOptions = { isOneServer: true, limits: { restMs: -60_000 } };

await withS3Server((server) => {
  /** A worker that has found that what comes is new. */
  const startWith = async (options: StageOptions): Promise<[CopyStage, Worker]> => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ target: { prefix: 'p/' }, ...options });
    const first = KEYS.slice(0, 8).map((key) => key.replace('d/', 'first/'));
    await Promise.all([...first, ...KEYS].map(async (key) => await stage.put(key)));
    for (const key of first) await worker.created(key, { size: SIZE });
    return [stage, worker];
  };
  const copyAll = async (worker: Worker, keys = KEYS, timeMs = Date.now()) =>
    await Promise.all(keys.map(async (key) => await worker.created(key, { size: SIZE, timeMs })));
  /** Methods of the requests after the first `count`, `LIST` among them. */
  const askedAfter = (stage: CopyStage, count: number): string[] =>
    stage.source.asked
      .slice(count)
      .map(({ method, url }) => (url.includes('list-type=2') ? 'LIST' : method))
      .toSorted();
  const each = (...methods: string[]): string[] =>
    methods.flatMap((method) => KEYS.map(() => method)).toSorted();
  /** Runs `run` before a bucket is listed, once all copies have been made. */
  const beforeListing = (stage: CopyStage, bucket: string, run: () => Promise<void>): void => {
    const copies = stage.writes().length + KEYS.length;
    stage.source.before = async ({ url = '' }) => {
      if (!url.startsWith(`/${bucket}/?`) || stage.writes().length < copies) return;
      stage.source.before = undefined;
      await run();
    };
  };

  it('looks at many copies by a listing of each side', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    const before = stage.source.asked.length;
    expect(await copyAll(worker)).toEqual(KEYS.map(() => WRITTEN));
    // The first listing tells what the target lacks.
    expect(askedAfter(stage, before)).toEqual(['LIST', 'LIST', 'LIST', ...each('PUT')]);
    for (const key of KEYS) expect(await stage.text(`p/${key}`)).toBe(`content of ${key}`);
    expect(stage.log.lines).toEqual([]);
  });

  it('looks at few by themselves', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    const before = stage.source.asked.length;
    expect(await copyAll(worker, KEYS.slice(0, 2))).toEqual([WRITTEN, WRITTEN]);
    expect(askedAfter(stage, before)).toEqual(['HEAD', 'HEAD', 'HEAD', 'HEAD', 'LIST', 'PUT', 'PUT']);
  });

  it('sees a version that is put between the copy and the look, and copies it', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    beforeListing(stage, stage.from, async () => await stage.put('d/k07', 'newer'));
    const outcomes = await copyAll(worker);
    expect(outcomes[7]).toEqual({ outcome: 'written', bytes: 5 });
    expect(outcomes.toSpliced(7, 1)).toEqual(KEYS.slice(1).map(() => WRITTEN));
    expect(await stage.text('p/d/k07')).toBe('newer');
    expect(await stage.text('p/d/k08')).toBe('content of d/k08');
  });

  it('sees an object that has gone between the copy and the look, and removes its copy', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    beforeListing(stage, stage.from, async () => await stage.delete('d/k07'));
    const outcomes = await copyAll(worker);
    expect(outcomes[7]).toEqual({ outcome: 'removed' });
    expect(await stage.copies()).not.toContain('p/d/k07');
    expect(await stage.copies()).toContain('p/d/k08');
  });

  it('sees that somebody else has changed a copy, and makes it anew', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    beforeListing(stage, stage.to, async () => await stage.putCopy('p/d/k07', 'somebody else’s'));
    expect(await copyAll(worker)).toEqual(KEYS.map(() => WRITTEN));
    expect(await stage.text('p/d/k07')).toBe('content of d/k07');
  });

  it('sees other metadata of the same bytes: an object that was put lately is looked at by itself', async () => {
    const [stage, worker] = await startWith({ isOneServer: true });
    const before = stage.source.asked.length;
    beforeListing(
      stage,
      stage.from,
      async () => await stage.put('d/k07', undefined, { Metadata: { of: 'the newer' } }),
    );
    // As an event that comes again tells of an older time.
    expect(await copyAll(worker, KEYS, Date.now() - 60_000)).toEqual(KEYS.map(() => WRITTEN));
    expect((await stage.head('p/d/k07')).Metadata).toEqual({ of: 'the newer' });
    expect(askedAfter(stage, before).filter((method) => method === 'HEAD').length).toBeGreaterThanOrEqual(
      2 * KEYS.length,
    );
  });

  it('waits for nobody where the event is of just now', async () => {
    const [stage, worker] = await startWith({ isOneServer: true });
    const before = stage.source.asked.length;
    expect(await copyAll(worker)).toEqual(KEYS.map(() => WRITTEN));
    expect(askedAfter(stage, before)).toEqual([...each('HEAD', 'HEAD'), 'LIST', ...each('PUT')].toSorted());
  });

  it('looks at each by itself where a listing would tell of few', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    const between = Array.from({ length: 8 * KEYS.length }, (_, index) => `d/k00-${index}`);
    await Promise.all(between.map(async (key) => await stage.put(key)));
    const before = stage.source.asked.length;
    expect(await copyAll(worker)).toEqual(KEYS.map(() => WRITTEN));
    const asked = askedAfter(stage, before);
    // Of one page of the source: the others are seen in the target alone.
    expect(asked.filter((method) => method === 'LIST')).toHaveLength(3);
    expect(asked.filter((method) => method === 'HEAD')).toHaveLength(2 * (KEYS.length - 1));
    for (const key of KEYS) expect(await stage.text(`p/${key}`)).toBe(`content of ${key}`);
  });

  it.each(['source', 'target'] as const)(
    'looks at each by itself where the %s can not be listed',
    async (side) => {
      const [stage, worker] = await startWith(ANY_AGE);
      const bucket = side === 'source' ? stage.from : stage.to;
      stage.source.refuse = ({ url = '' }) =>
        url.startsWith(`/${bucket}/?`) ? { status: 403, code: 'AccessDenied' } : undefined;
      expect(await copyAll(worker)).toEqual(KEYS.map(() => WRITTEN));
      const before = stage.source.asked.length;
      const refused = stage.source.refused;
      const more = KEYS.map((key) => key.replace('d/', 'e/'));
      await Promise.all(more.map(async (key) => await stage.put(key)));
      expect(await copyAll(worker, more)).toEqual(KEYS.map(() => WRITTEN));
      expect(askedAfter(stage, before).filter((method) => method === 'HEAD').length).toBeGreaterThanOrEqual(
        2 * KEYS.length,
      );
      // It is not tried again so soon.
      expect(stage.source.refused).toBe(refused);
      expect(stage.log.lines).toEqual([]);
    },
  );

  it('tells versions of one size apart', async () => {
    const [stage, worker] = await startWith(ANY_AGE);
    beforeListing(stage, stage.from, async () => {
      await server.client.send(
        new PutObjectCommand({ Bucket: stage.from, Key: 'd/k03', Body: Buffer.from('content of d/k0!') }),
      );
    });
    await copyAll(worker);
    // As long as the one before, and other bytes.
    expect(await stage.text('p/d/k03')).toBe('content of d/k0!');
  });
});
