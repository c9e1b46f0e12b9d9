import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { Backoff, retrying } from '../../src/flow/retry.ts';

const QUICK = { giveUpAfterMs: undefined, firstDelayMs: 1, longestDelayMs: 4 };

describe('a back-off', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('doubles its longest wait up to a limit, and begins anew after a success', async () => {
    const backoff = new Backoff(
      { giveUpAfterMs: undefined, firstDelayMs: 100, longestDelayMs: 1000 },
      () => 1,
    );
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) waits.push(await waited(backoff));
    for (const [at, expected] of [200, 400, 800, 1000, 1000].entries())
      expect(Math.abs((waits[at] ?? 0) - expected)).toBeLessThanOrEqual(2);
    backoff.succeeded();
    expect(await waited(backoff)).toBeLessThanOrEqual(202);
  });

  it('spreads its waits over all the time, but never tries at once', async () => {
    const half = new Backoff({ giveUpAfterMs: undefined, firstDelayMs: 100 }, () => 0.5);
    for (let i = 0; i < 3; i++) await waited(half);
    expect(Math.abs((await waited(half)) - 800)).toBeLessThanOrEqual(2);
    expect(
      await waited(new Backoff({ giveUpAfterMs: undefined, firstDelayMs: 100 }, () => 0)),
    ).toBeGreaterThanOrEqual(99);
  });

  it('waits its longest at once when told so', async () => {
    const backoff = new Backoff({ giveUpAfterMs: undefined, longestDelayMs: 5000 }, () => 0);
    expect(await waited(backoff, { longest: true })).toBeGreaterThanOrEqual(4999);
  });

  it('gives up when nothing has succeeded for long enough, not before', async () => {
    const backoff = new Backoff({ giveUpAfterMs: 1000, firstDelayMs: 400 }, () => 1);
    await waited(backoff);
    backoff.succeeded();
    await vi.advanceTimersByTimeAsync(10_000);
    const began = performance.now();
    let tries = 0;
    for (let again = true; again; tries++) {
      const waiting = backoff.wait();
      await vi.advanceTimersByTimeAsync(1001);
      again = await waiting;
    }
    expect(performance.now() - began).toBeGreaterThanOrEqual(1000);
    expect(backoff.failures).toBe(tries);
  });
});

describe('trying again', () => {
  it('ends its wait with the reason of its signal', async () => {
    const backoff = new Backoff({
      giveUpAfterMs: undefined,
      firstDelayMs: 3_600_000,
      longestDelayMs: 3_600_000,
    });
    const aborts = new AbortController();
    const waiting = backoff.wait({ signal: aborts.signal });
    aborts.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    await expect(backoff.wait({ signal: aborts.signal })).rejects.toThrow('stop');
  });

  it('goes on after what may pass, and stops at what may not', async () => {
    let tries = 0;
    const result = await retrying(async () => {
      if (++tries < 4) throw new IsyncError('STORE_FAILED', 'busy disk', { retryable: true });
      return 'done';
    }, QUICK);
    expect([result, tries]).toEqual(['done', 4]);
    const hopeless = new IsyncError('IMMUTABLE', 'kept already');
    await expect(retrying(() => Promise.reject(hopeless), QUICK)).rejects.toBe(hopeless);
    const bug = new TypeError('bug');
    await expect(retrying(() => Promise.reject(bug), QUICK)).rejects.toBe(bug);
  });

  it('asks its caller what may pass, and tells it of each error before the wait', async () => {
    const passing = new IsyncError('IMMUTABLE', 'not by the table');
    const hopeless = new IsyncError('STORE_FAILED', 'not for this caller', { retryable: true });
    const errors = [passing, passing, hopeless];
    const told: unknown[] = [];
    const options = {
      isRetryable: ({ code }: IsyncError) => code === 'IMMUTABLE',
      onRetry: (error: IsyncError) => void told.push(error),
    };
    await expect(retrying(() => Promise.reject(errors.shift()), QUICK, options)).rejects.toBe(hopeless);
    expect(told).toEqual([passing, passing]);
  });

  it('gives up with the last error', async () => {
    const error = new IsyncError('STORE_FAILED', 'busy disk', { retryable: true });
    const policy = { ...QUICK, giveUpAfterMs: 10 };
    await expect(retrying(() => Promise.reject(error), policy)).rejects.toBe(error);
  });
});

/** How long `backoff` waits, in ms of the fake clock. */
async function waited(backoff: Backoff, options = {}): Promise<number> {
  const began = performance.now();
  const over = vi.fn<() => void>();
  const waiting = backoff.wait(options).then(over);
  while (over.mock.calls.length === 0) await vi.advanceTimersByTimeAsync(1);
  await waiting;
  return performance.now() - began;
}
