import { describe, expect, it } from 'vitest';
import { CHECK_KEY, checkPermissions, type CheckResult } from '../../src/backup/check/permissions.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MemoryTarget } from '../backup/memory-target.ts';

const { signal } = new AbortController();
const TAGS = { env: 'production' };

function outcomes(results: readonly CheckResult[]): Record<string, string> {
  return Object.fromEntries(
    results.map(({ thing, outcome, error }) => [thing, error === undefined ? outcome : error.code]),
  );
}

/** A store that refuses the calls that begin so. */
function refusing(...starts: readonly string[]): MemoryTarget {
  const target = new MemoryTarget();
  target.before = (call) => {
    if (starts.some((start) => call.startsWith(start))) throw new IsyncError('STORE_REFUSED', 'AccessDenied');
  };
  return target;
}

async function uploadsOf(target: MemoryTarget): Promise<number> {
  target.before = () => undefined;
  let number = 0;
  for await (const _ of target.uploads()) number += 1;
  return number;
}

describe('a check of what may be done', () => {
  it('does it all once, and leaves nothing', async () => {
    const target = new MemoryTarget();
    expect(outcomes(await checkPermissions(target, { tags: TAGS, signal }))).toEqual({
      list: 'ok',
      uploads: 'ok',
      upload: 'ok',
      tags: 'ok',
      parts: 'ok',
      read: 'ok',
      abort: 'ok',
      remove: 'ok',
      clock: 'ok',
    });
    expect(target.objects.size).toBe(0);
    expect(await uploadsOf(target)).toBe(0);
  });

  it.each([
    [['list'], { list: 'STORE_REFUSED', read: 'ok', remove: 'ok' }],
    [['uploads'], { uploads: 'STORE_REFUSED', read: 'ok' }],
    [['begin'], { upload: 'STORE_REFUSED', read: 'skipped', remove: 'skipped', abort: 'STORE_REFUSED' }],
    [['putPart'], { parts: 'STORE_REFUSED', read: 'skipped' }],
    [['parts'], { parts: 'STORE_REFUSED', read: 'ok', remove: 'ok' }],
    [['complete'], { upload: 'STORE_REFUSED', read: 'skipped' }],
    [['read'], { upload: 'ok', read: 'STORE_REFUSED', remove: 'ok' }],
    [['abort'], { upload: 'ok', abort: 'STORE_REFUSED' }],
  ])('tells what is refused where %j is', async (starts, expected) => {
    const target = refusing(...starts);
    expect(outcomes(await checkPermissions(target, { tags: {}, signal }))).toMatchObject(expected);
    expect(target.objects.size).toBe(0);
    // One may stay behind only where uploads may not be aborted.
    expect(await uploadsOf(target)).toBe(starts[0] === 'abort' ? 1 : 0);
  });

  it('tells tags from the upload that has them', async () => {
    const target = new MemoryTarget();
    const begin = target.begin.bind(target);
    const tagged: unknown[] = [];
    target.begin = async (key: string, attributes?: { readonly tags: object }) => {
      tagged.push(attributes?.tags);
      if (Object.keys(attributes?.tags ?? {}).length > 0)
        throw new IsyncError('STORE_REFUSED', 'AccessDenied');
      return await begin(key);
    };
    const results = await checkPermissions(target, { tags: TAGS, signal });
    expect(outcomes(results)).toMatchObject({ upload: 'ok', tags: 'STORE_REFUSED', read: 'ok' });
    expect(tagged).toEqual([TAGS, {}, {}]);
  });

  it('says of each thing what a policy must allow, and who needs it', async () => {
    const results = await checkPermissions(refusing('remove'), { tags: {}, signal });
    const removed = results.find(({ thing }) => thing === 'remove');
    expect(removed).toMatchObject({ outcome: 'failed', neededBy: 'prune' });
    expect(removed?.actions).toContain('s3:DeleteObject');
    const others = results.filter(({ thing }) => thing !== 'remove');
    expect(others.every(({ outcome }) => outcome === 'ok')).toBe(true);
  });

  it('puts one object, whose key is the same each time, where nothing may be removed', async () => {
    const target = refusing('remove');
    await checkPermissions(target, { tags: {}, signal });
    await checkPermissions(target, { tags: {}, signal });
    expect([...target.objects.keys()]).toEqual([CHECK_KEY]);
  });

  it('reads back what it has put', async () => {
    const target = new MemoryTarget();
    target.before = (call) => {
      const held = target.objects.get(CHECK_KEY);
      if (call.startsWith('read') && held !== undefined) held.bytes[3]! ^= 1;
    };
    const results = await checkPermissions(target, { tags: {}, signal });
    expect(outcomes(results)).toMatchObject({ upload: 'ok', read: 'DIGEST_MISMATCH' });
  });

  it('locks for seconds, and finds that the lock holds', async () => {
    const target = new MemoryTarget({ lock: { mode: 'governance', days: 30 } });
    const results = await checkPermissions(target, { tags: {}, signal });
    expect(outcomes(results)).toMatchObject({ lock: 'ok', remove: 'ok' });
    expect(target.objects.size).toBe(0);
  });

  it('finds that a lock does not hold', async () => {
    const target = new MemoryTarget({ lock: { mode: 'governance', days: 30 } });
    target.lock = async () => undefined;
    const results = await checkPermissions(target, { tags: {}, signal });
    expect(outcomes(results)).toMatchObject({ lock: 'STORE_FAILED' });
  });

  it('tells that the clocks differ too much', async () => {
    for (const [aheadMs, expected] of [
      [16 * 60_000, 'CLOCK_SKEW'],
      [-16 * 60_000, 'CLOCK_SKEW'],
      [14 * 60_000, 'ok'],
      [undefined, 'ok'],
    ] as const) {
      const target = new MemoryTarget();
      target.clockAheadMs = aheadMs;
      expect(outcomes(await checkPermissions(target, { tags: {}, signal }))['clock']).toBe(expected);
    }
  });

  it('ends with its signal', async () => {
    const target = new MemoryTarget();
    const ending = new AbortController();
    target.before = (call) => {
      if (call.startsWith('putPart')) ending.abort(new Error('enough'));
    };
    const checked = checkPermissions(target, { tags: {}, signal: ending.signal });
    await expect(checked).rejects.toThrow('enough');
  });
});
