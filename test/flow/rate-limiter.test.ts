import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { allDay, type Bandwidth } from '../../src/flow/bandwidth.ts';
import { createRateLimiter } from '../../src/flow/rate-limiter.ts';

describe('a rate limiter', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('lets pass no more than its rate, whatever the size of messages', async () => {
    const limiter = createRateLimiter(() => allDay(100_000));
    let passed = 0;
    const until = performance.now() + 10_000;
    const sending = (async () => {
      while (performance.now() < until) {
        await limiter.ready();
        const bytes = passed % 3 === 0 ? 50_000 : 7_001;
        limiter.spend(bytes);
        passed += bytes;
      }
    })();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(passed).toBeGreaterThan(900_000);
    expect(passed).toBeLessThan(1_000_000 + 10_000 + 50_000);
    await vi.advanceTimersByTimeAsync(2000);
    await sending;
  });

  it('does not save up what was not used', async () => {
    const limiter = createRateLimiter(() => allDay(100_000));
    await vi.advanceTimersByTimeAsync(60_000);
    await limiter.ready();
    limiter.spend(60_000);
    let ready = false;
    const waiting = limiter.ready().then(() => (ready = true));
    await vi.advanceTimersByTimeAsync(400);
    expect(ready).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(ready).toBe(true);
    await waiting;
  });

  it('serves those who wait in their order', async () => {
    const limiter = createRateLimiter(() => allDay(100_000));
    limiter.spend(50_000);
    const served: number[] = [];
    const all = [1, 2, 3].map(async (who) => {
      await limiter.ready();
      limiter.spend(30_000);
      served.push(who);
    });
    await vi.advanceTimersByTimeAsync(600);
    expect(served).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1000);
    await Promise.all(all);
    expect(served).toEqual([1, 2, 3]);
  });

  it('lets go of who gives up, and of nobody else', async () => {
    const limiter = createRateLimiter(() => allDay(100_000));
    limiter.spend(100_000);
    const aborts = new AbortController();
    const first = limiter.ready({ signal: aborts.signal });
    const second = limiter.ready();
    aborts.abort(new Error('stop'));
    await expect(first).rejects.toThrow('stop');
    await vi.advanceTimersByTimeAsync(2000);
    await second;
    await expect(limiter.ready({ signal: aborts.signal })).rejects.toThrow('stop');
  });

  it('goes by the rate of the hour, also for who waits already', async () => {
    let bandwidth: Bandwidth = allDay(1000);
    const limiter = createRateLimiter(() => bandwidth);
    limiter.spend(1_000_000);
    let isReady = false;
    const waiting = limiter.ready().then(() => (isReady = true));
    await vi.advanceTimersByTimeAsync(5000);
    expect(isReady).toBe(false);
    bandwidth = allDay(Infinity);
    await vi.advanceTimersByTimeAsync(2000);
    expect(isReady).toBe(true);
    await waiting;
    expect(limiter.quantumBytes).toBe(Infinity);
    limiter.spend(1e12);
    await limiter.ready();
    bandwidth = allDay(1_000_000);
    await vi.advanceTimersByTimeAsync(1000);
    await limiter.ready();
    limiter.spend(1);
    expect(limiter.quantumBytes).toBe(100_000);
  });

  it('asks for small messages on a thin link, but not for silly ones', () => {
    expect(createRateLimiter(() => allDay(1_000_000)).quantumBytes).toBe(100_000);
    expect(createRateLimiter(() => allDay(10)).quantumBytes).toBe(4096);
  });
});
