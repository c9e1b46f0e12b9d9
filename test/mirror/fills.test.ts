import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { OriginError } from '../../src/mirror/origin/origin.ts';
import { FakeOrigin, untilAborted } from './fake-origin.ts';
import { all, fetched, keyOf, NEVER, newFills } from './fills-stage.ts';

const MIB = 1024 * 1024;

describe('a missing object', () => {
  it.each([0, 1, 100_000, 3 * MIB + 1])('of %i bytes is passed on as it comes, and kept', async (size) => {
    const { fills, origin, bucket, spool } = await newFills();
    const content = randomBytes(size);
    const headers = { contentType: 'image/png' };
    origin.objects.set('a b', { content, etag: '"e"', headers });
    const { start, body, end } = await fetched(fills, 'a b');
    expect(start).toEqual({
      kind: 'found',
      origin: 'https://old.example/a%20b',
      head: { size, headers, etag: '"e"', modifiedMs: undefined, metadata: {} },
    });
    expect((body as Buffer).equals(content)).toBe(true);
    expect(end).toEqual({ kind: 'kept', bytes: size });
    expect(bucket.objects.get('a b')!.equals(content)).toBe(true);
    expect(bucket.origins.get('a b')).toBe('https://old.example/a%20b');
    await expect.poll(() => spool.usedBytes).toBe(0);
    expect(origin.open).toBe(0);
    expect(fills.state).toMatchObject({ fills: 0, waiting: 0 });
  });

  it('is asked for under the name that it has at the origin', async () => {
    const { fills, origin } = await newFills({ rule: { key: { strip: 'img/', add: 'pictures/' } } });
    await fills.fill(keyOf('img/a', 'x=1')).ended;
    expect(origin.asked).toEqual([{ method: 'GET', key: { key: 'pictures/a', query: 'x=1' } }]);
    expect(fills.urlOf(keyOf('img/a'))).toBe('https://old.example/pictures/a');
  });

  it('is passed on and not kept where the origin says so', async () => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: Buffer.from('soft 404'), size: undefined, notKept: 'text/html' });
    const { body, end } = await fetched(fills, 'a');
    expect(String(body)).toBe('soft 404');
    expect(end).toEqual({ kind: 'passed', reason: 'text/html' });
    expect(bucket.objects.size).toBe(0);
  });

  it('that the application has put meanwhile is left', async () => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: Buffer.from('old') });
    bucket.putting = async (key) => void bucket.objects.set(key, Buffer.from('new'));
    expect((await fetched(fills, 'a')).end).toEqual({ kind: 'present' });
    expect(String(bucket.objects.get('a'))).toBe('new');
  });

  it('replaces the version that it may replace', async () => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: Buffer.from('newer') });
    bucket.objects.set('a', Buffer.from('old'));
    const replaces = await bucket.head('a');
    expect(await fills.fill(keyOf('a'), { replaces }).ended).toEqual({ kind: 'kept', bytes: 5 });
    expect(await fills.fill(keyOf('a'), { replaces }).ended).toEqual({ kind: 'present' });
  });
});

describe('a herd', () => {
  it('of a thousand is one ask, whenever each comes and whether it stays', async () => {
    const joined = vi.fn();
    const { fills, origin, spool } = await newFills({ observer: { joined } });
    const content = randomBytes(MIB);
    const halfway = Promise.withResolvers<void>();
    origin.objects.set('a', {
      content,
      before: async (at) => (at < content.length / 2 ? undefined : await halfway.promise),
    });
    const client = async (index: number): Promise<boolean> => {
      const leaves = new AbortController();
      const fill = fills.fill(keyOf('a'), { signal: leaves.signal });
      expect((await fill.started).kind).toBe('found');
      const bytes = fill.read({ start: index }, leaves.signal);
      if (index % 10 !== 0) return (await all(bytes)).equals(content.subarray(index));
      // Leaves in the middle.
      let read = 0;
      for await (const piece of bytes) if ((read += piece.length) > MIB / 4) break;
      leaves.abort();
      return true;
    };
    const early = Array.from({ length: 500 }, (_, index) => client(index));
    await expect.poll(() => spool.usedBytes).toBe(content.length);
    expect(fills.state).toMatchObject({ fills: 1 });
    const late = Array.from({ length: 500 }, (_, index) => client(500 + index));
    halfway.resolve();
    expect(new Set(await Promise.all([...early, ...late]))).toEqual(new Set([true]));
    expect(origin.gets).toEqual(['a']);
    expect(joined).toHaveBeenCalledTimes(999);
    await expect.poll(() => spool.usedBytes).toBe(0);
    expect(fills.state).toMatchObject({ fills: 0, waiting: 0 });
  });

  it('whose last clients looked before the object was kept does not ask again', async () => {
    const { fills, origin } = await newFills();
    origin.objects.set('a', { content: Buffer.from('x') });
    await fills.fill(keyOf('a')).ended;
    const late = fills.fill(keyOf('a'));
    expect(await late.started).toEqual({ kind: 'present' });
    expect(await late.ended).toEqual({ kind: 'present' });
    expect(origin.gets).toEqual(['a']);
  });

  it('gets an object anew that was removed after it was kept', async () => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: Buffer.from('x') });
    await fills.fill(keyOf('a')).ended;
    bucket.objects.clear();
    expect((await fetched(fills, 'a')).end).toEqual({ kind: 'kept', bytes: 1 });
  });

  it('asks once however its clients fall on the end of a fill', async () => {
    const { fills, origin } = await newFills();
    origin.objects.set('a', { content: randomBytes(300_000) });
    const first = fills.fill(keyOf('a'));
    const starts: string[] = [];
    const bytes: number[] = [];
    while (starts.at(-1) !== 'present') {
      // Bytes out of memory come without a pause, and would let nothing else happen.
      await setImmediate();
      const fill = fills.fill(keyOf('a'));
      const start = await fill.started;
      starts.push(start.kind);
      if (start.kind === 'found') bytes.push((await all(fill.read({}, NEVER))).length);
    }
    expect((await first.ended).kind).toBe('kept');
    expect(new Set(starts)).toEqual(new Set(['found', 'present']));
    expect(new Set(bytes)).toEqual(new Set([300_000]));
    expect(origin.gets).toEqual(['a']);
  });

  it('goes on when all have left', async () => {
    const { fills, origin } = await newFills();
    const content = randomBytes(MIB);
    const go = Promise.withResolvers<void>();
    origin.objects.set('a', { content, before: async (at) => (at === 0 ? undefined : await go.promise) });
    const leaves = new AbortController();
    const fill = fills.fill(keyOf('a'), { signal: leaves.signal });
    await fill.started;
    const reading = all(fill.read({}, leaves.signal));
    leaves.abort(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
    expect(fills.state).toMatchObject({ fills: 1, waiting: 0 });
    go.resolve();
    expect(await fill.ended).toEqual({ kind: 'kept', bytes: MIB });
  });
});

describe('what does not exist', () => {
  it('is remembered for a while', async () => {
    const { fills, origin } = await newFills();
    expect((await fetched(fills, 'a')).start).toEqual({ kind: 'absent', remembered: false });
    expect((await fetched(fills, 'a')).start).toEqual({ kind: 'absent', remembered: true });
    expect(await fills.head(keyOf('a'), NEVER)).toEqual({ kind: 'absent', remembered: true });
    expect(origin.asked).toHaveLength(1);
    const later = performance.now() + 10_001;
    vi.spyOn(performance, 'now').mockImplementation(() => later);
    await expect
      .poll(async () => (await fetched(fills, 'a')).start)
      .toEqual({
        kind: 'absent',
        remembered: false,
      });
  });

  it('for a HEAD is asked for all the same: some servers answer that with 404 for all', async () => {
    const { fills, origin } = await newFills();
    expect(await fills.head(keyOf('a'), NEVER)).toEqual({ kind: 'absent', remembered: false });
    expect(await fills.head(keyOf('a'), NEVER)).toEqual({ kind: 'absent', remembered: true });
    origin.objects.set('a', { content: Buffer.from('x') });
    expect((await fetched(fills, 'a')).end).toEqual({ kind: 'kept', bytes: 1 });
  });

  it('is not looked for at the next origin', async () => {
    const origins = [new FakeOrigin('https://a.example/'), new FakeOrigin('https://b.example/')];
    const { fills } = await newFills({ origins });
    origins[1]!.objects.set('a', { content: Buffer.from('x') });
    expect((await fetched(fills, 'a')).start.kind).toBe('absent');
    expect(origins[1]!.asked).toEqual([]);
  });

  it('has a way up in its name at the origin', async () => {
    const { fills, origin } = await newFills({ rule: { key: { strip: 'a', add: '' } } });
    expect(await fetched(fills, 'a../x')).toMatchObject({ start: { kind: 'unruled' } });
    expect(await fills.head(keyOf('a../x'), NEVER)).toEqual({ kind: 'unruled' });
    expect(fills.urlOf(keyOf('a../x'))).toBeUndefined();
    expect(origin.asked).toEqual([]);
  });

  it('has no rule, or is excepted', async () => {
    const { fills, origin } = await newFills({
      rule: { matches: (path) => path.startsWith('a') },
      isExcepted: (path) => path === 'a/tmp',
    });
    for (const path of ['b', 'a/tmp']) {
      expect(await fetched(fills, path)).toMatchObject({
        start: { kind: 'unruled' },
        end: { kind: 'nothing' },
      });
      expect(await fills.head(keyOf(path), NEVER)).toEqual({ kind: 'unruled' });
      expect(fills.urlOf(keyOf(path))).toBeUndefined();
    }
    expect(origin.asked).toEqual([]);
  });
});

describe('an origin that fails', () => {
  const away = async (): Promise<never> => {
    throw new OriginError(504, 'no answer', { isAway: true });
  };

  it('is followed by the next one', async () => {
    const origins = [new FakeOrigin('https://a.example/'), new FakeOrigin('https://b.example/')];
    const { fills, log } = await newFills({ origins });
    origins[0]!.answer = away;
    origins[1]!.objects.set('k', { content: Buffer.from('x') });
    expect(await fetched(fills, 'k')).toMatchObject({
      start: { kind: 'found', origin: 'https://b.example/k' },
      end: { kind: 'kept' },
    });
    expect(log.at('warn')).toMatchObject([{ fields: { origin: 'https://a.example/', status: 504 } }]);
  });

  it('never makes a 404, whatever the next one says', async () => {
    const origins = [new FakeOrigin('https://a.example/'), new FakeOrigin('https://b.example/')];
    const { fills } = await newFills({ origins });
    origins[0]!.answer = away;
    for (let i = 0; i < 2; i++)
      expect(await fetched(fills, 'k')).toMatchObject({
        start: { kind: 'failed', error: { status: 504 }, url: undefined },
        end: { kind: 'nothing' },
      });
    expect(origins[0]!.asked).toHaveLength(2);
  });

  it('is left alone for a while, and tried by one', async () => {
    const breaker = vi.fn();
    const { fills, origin } = await newFills({ observer: { breaker } });
    origin.answer = away;
    for (let i = 0; i < 5; i++) await fetched(fills, `k${i}`);
    expect(breaker.mock.calls).toEqual([['https://old.example/', true]]);
    const { start } = await fetched(fills, 'k5');
    expect(start).toMatchObject({ kind: 'failed', error: { status: 503, retryAfter: expect.any(Number) } });
    expect(origin.asked).toHaveLength(5);
    expect(fills.state.breakers).toEqual([{ origin: 'https://old.example/', isOpen: true }]);
    const go = Promise.withResolvers<void>();
    origin.answer = async () => await go.promise;
    origin.objects.set('k', { content: Buffer.from('x') });
    const later = performance.now() + 2_000;
    vi.spyOn(performance, 'now').mockImplementation(() => later);
    const probe = fetched(fills, 'k');
    await expect.poll(() => origin.asked).toHaveLength(6);
    expect((await fetched(fills, 'other')).start).toMatchObject({ error: { status: 503 } });
    go.resolve();
    expect((await probe).end).toEqual({ kind: 'kept', bytes: 1 });
    expect(origin.asked).toHaveLength(6);
    expect(breaker.mock.calls.at(-1)).toEqual(['https://old.example/', false]);
  });

  it('is away, too, where it answers and lets every body stall', async () => {
    const { fills, origin } = await newFills();
    for (let i = 0; i < 5; i++) {
      origin.objects.set(`k${i}`, { content: Buffer.from('x'), before: away });
      expect((await fetched(fills, `k${i}`)).end).toMatchObject({ kind: 'failed' });
    }
    expect(fills.state.breakers).toMatchObject([{ isOpen: true }]);
  });

  it('is not left alone for a wrong setting, which is logged once', async () => {
    const { fills, origin, log } = await newFills();
    origin.answer = async () => {
      throw new OriginError(502, 'refuses us (401)');
    };
    for (let i = 0; i < 10; i++)
      expect((await fetched(fills, `k${i}`)).start).toMatchObject({ error: { status: 502 } });
    expect(origin.asked).toHaveLength(10);
    expect(log.at('warn')).toHaveLength(1);
  });
});

describe('a body', () => {
  it('that is cut fails those who read it, and is not kept', async () => {
    const { fills, origin, bucket, spool, log } = await newFills();
    const content = randomBytes(MIB);
    const cut = new OriginError(502, 'cut');
    const before = async (at: number): Promise<void> => {
      if (at > 500_000) throw cut;
    };
    origin.objects.set('a', { content, before });
    const { body, end } = await fetched(fills, 'a');
    expect(body).toBe(cut);
    expect(end).toEqual({ kind: 'failed', error: cut, isWhole: false });
    expect(bucket.objects.size).toBe(0);
    await expect.poll(() => spool.usedBytes).toBe(0);
    const lines = log.lines.filter(({ message }) => message === 'an object was not kept');
    expect(lines.map(({ fields }) => fields)).toEqual([{ key: 'a', reason: 'cut', unsaid: 0 }]);
  });

  it.each([
    [999, 'longer than announced'],
    [1001, '1000 bytes came of 1001'],
  ])('of 1000 bytes that was announced with %i is not kept', async (size, words) => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: randomBytes(1000), size });
    const { body, end } = await fetched(fills, 'a');
    expect(body).toMatchObject({ status: 502, message: expect.stringContaining(words) });
    expect(end.kind).toBe('failed');
    expect(bucket.objects.size).toBe(0);
  });

  it.each([
    ['the rule takes', { rule: { maxSize: 999 } }],
    ['the spool holds', { spoolBytes: 999 }],
  ])('that is larger than %s is fetched by the client itself', async (_, options) => {
    const { fills, origin } = await newFills(options);
    origin.objects.set('a', { content: randomBytes(1000) });
    const url = 'https://old.example/a';
    expect((await fetched(fills, 'a')).start).toMatchObject({ error: { status: 302 }, url });
    origin.objects.set('b', { content: randomBytes(1000), size: undefined });
    const { start, end } = await fetched(fills, 'b');
    expect(start.kind).toBe('found');
    expect(end).toMatchObject({ kind: 'failed', error: { status: 302 } });
    origin.isPublic = false;
    expect((await fetched(fills, 'a')).start).toMatchObject({ error: { status: 502 }, url: undefined });
    expect(origin.open).toBe(0);
  });

  it('that takes too long ends with 504', async () => {
    const { fills, origin } = await newFills({
      rule: { timeouts: { connect: 1, firstByte: 1000, idle: 1, total: 300 } },
    });
    origin.answer = async (_, signal) => await untilAborted(signal);
    expect((await fetched(fills, 'a')).start).toMatchObject({ error: { status: 504 } });
    origin.answer = undefined;
    origin.objects.set('b', {
      content: Buffer.from('x'),
      before: async (_, signal) => await untilAborted(signal),
    });
    expect(await fetched(fills, 'b')).toMatchObject({ body: { status: 504 }, end: { kind: 'failed' } });
  });

  it('that the bucket does not take is read to its end all the same', async () => {
    const { fills, origin, bucket } = await newFills();
    origin.objects.set('a', { content: Buffer.from('x') });
    bucket.putting = async () => {
      throw new Error('the bucket is full');
    };
    const { body, end } = await fetched(fills, 'a');
    expect(String(body)).toBe('x');
    expect(end).toMatchObject({ kind: 'failed', error: { message: 'the bucket is full' } });
  });

  it('that can not be whole 10 s before the deadline is cut, wherever it is', async () => {
    const { fills, origin, bucket } = await newFills();
    const deadline = (): number => performance.now() + 10_500;
    origin.answer = async (_, signal) => await untilAborted(signal);
    const url = 'https://old.example/a';
    const asked = fills.fill(keyOf('a'), { deadlineMs: deadline() });
    expect(await asked.started).toMatchObject({ kind: 'failed', error: { status: 302 }, url });
    origin.answer = undefined;
    origin.objects.set('b', { content: Buffer.from('x') });
    let put = false;
    bucket.putting = async (_, signal) => {
      put = true;
      await untilAborted(signal);
    };
    const late = fills.fill(keyOf('b'), { deadlineMs: deadline() });
    expect(await late.ended).toMatchObject({ kind: 'failed', error: { status: 302 } });
    expect(put).toBe(true);
    const none = fills.fill(keyOf('c'), { deadlineMs: performance.now() + 9_000 });
    expect(await none.started).toMatchObject({ error: { status: 302 } });
    expect(origin.gets).toEqual(['a', 'b']);
  });
});
