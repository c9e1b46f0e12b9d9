import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { allDay } from '../../src/flow/bandwidth.ts';
import { OriginError } from '../../src/mirror/origin/origin.ts';
import { untilAborted } from './fake-origin.ts';
import { fetched, keyOf, NEVER, newFills } from './fills-stage.ts';

describe('beyond its limits', () => {
  it('fills of a rule wait, and are refused after a while', async () => {
    const refused = vi.fn();
    const timeouts = { connect: 1, firstByte: 500, idle: 1, total: 60_000 };
    const { fills, origin } = await newFills({ rule: { concurrency: 1, timeouts }, observer: { refused } });
    const go = Promise.withResolvers<void>();
    origin.answer = async () => await go.promise;
    for (const key of ['a', 'b', 'c']) origin.objects.set(key, { content: Buffer.from(key) });
    const first = fetched(fills, 'a');
    expect((await fetched(fills, 'b')).start).toMatchObject({
      kind: 'failed',
      error: { status: 503, retryAfter: expect.any(Number) },
    });
    expect(refused.mock.calls).toEqual([['fills']]);
    const next = fetched(fills, 'c');
    go.resolve();
    expect((await first).end.kind).toBe('kept');
    expect((await next).end.kind).toBe('kept');
    expect(origin.gets).toEqual(['a', 'c']);
  });

  it('fills of all rules wait, in their order', async () => {
    const { fills, origin } = await newFills({ limits: { fills: 2 } });
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`);
    let most = 0;
    for (const key of keys)
      origin.objects.set(key, {
        content: Buffer.from(key),
        before: async () => void (most = Math.max(most, origin.open)),
      });
    await Promise.all(keys.map(async (key) => await fetched(fills, key)));
    expect(most).toBe(2);
    expect(origin.gets).toEqual(keys);
  });

  it('requests are refused, until others have left', async () => {
    const { fills, origin } = await newFills({ limits: { waiting: 2 } });
    origin.answer = async (_, signal) => await untilAborted(signal);
    const leaves = new AbortController();
    fills.fill(keyOf('a'), { signal: leaves.signal });
    fills.fill(keyOf('a'));
    expect(await fills.fill(keyOf('a')).started).toMatchObject({ kind: 'failed', error: { status: 503 } });
    leaves.abort();
    expect(fills.fill(keyOf('a')).joined).toBe(true);
    expect(fills.state.waiting).toBe(2);
  });

  it('bodies that the spool has no room for are refused', async () => {
    const { fills, origin } = await newFills({ spoolBytes: 1500 });
    const go = Promise.withResolvers<void>();
    origin.objects.set('a', { content: randomBytes(1000), before: async () => await go.promise });
    origin.objects.set('b', { content: randomBytes(1000) });
    const first = fetched(fills, 'a');
    await expect.poll(() => fills.state.spoolBytes).toBe(1000);
    expect((await fetched(fills, 'b')).start).toMatchObject({ error: { status: 503, retryAfter: 2 } });
    go.resolve();
    expect((await first).end.kind).toBe('kept');
    expect(origin.open).toBe(0);
    expect((await fetched(fills, 'b')).end.kind).toBe('kept');
  });

  it('bytes come no faster than they may', async () => {
    const { fills, origin } = await newFills({ rule: { bwlimit: allDay(1_000_000) } });
    origin.objects.set('a', { content: randomBytes(500_000), pieceBytes: 10_000 });
    const since = performance.now();
    expect((await fetched(fills, 'a')).end.kind).toBe('kept');
    // 100 ms of it may pass at once.
    expect(performance.now() - since).toBeGreaterThan(350);
  });
});

describe('the HEAD of an origin', () => {
  it('is passed on, one at a time for a key, and fills nothing', async () => {
    const { fills, origin, bucket } = await newFills();
    const content = randomBytes(1000);
    origin.objects.set('a', { content, etag: '"e"' });
    const heads = await Promise.all(
      Array.from({ length: 50 }, async () => await fills.head(keyOf('a'), NEVER)),
    );
    for (const head of heads)
      expect(head).toMatchObject({ kind: 'found', head: { size: 1000, etag: '"e"' } });
    expect(origin.asked.map(({ method }) => method)).toEqual(['HEAD']);
    expect(origin.open).toBe(0);
    expect(bucket.objects.size).toBe(0);
  });

  it('fails as a fill does', async () => {
    const { fills, origin } = await newFills();
    origin.answer = async () => {
      throw new OriginError(503, 'busy', { retryAfter: 7 });
    };
    expect(await fills.head(keyOf('a'), NEVER)).toMatchObject({ kind: 'failed', error: { retryAfter: 7 } });
  });
});

describe('at the end', () => {
  it('fills come to their end, and new ones are refused', async () => {
    const { fills, origin } = await newFills();
    const go = Promise.withResolvers<void>();
    origin.objects.set('a', { content: Buffer.from('x'), before: async () => await go.promise });
    const last = fetched(fills, 'a');
    await expect.poll(() => origin.gets).toEqual(['a']);
    const ending = fills.end(NEVER);
    expect(await fills.fill(keyOf('b')).started).toMatchObject({ error: { status: 503 } });
    expect(fills.fill(keyOf('a')).joined).toBe(true);
    go.resolve();
    await ending;
    expect((await last).end.kind).toBe('kept');
  });

  it('are cut when there is no more time', async () => {
    const { fills, origin, spool } = await newFills();
    origin.objects.set('a', {
      content: Buffer.from('x'),
      before: async (_, signal) => await untilAborted(signal),
    });
    origin.objects.set('b', { content: Buffer.from('x') });
    const last = fetched(fills, 'a');
    await expect.poll(() => spool.usedBytes).toBe(1);
    const cut = new AbortController();
    const ending = fills.end(cut.signal);
    cut.abort();
    await ending;
    expect((await last).end).toMatchObject({ kind: 'failed', error: { status: 503 } });
  });
});
