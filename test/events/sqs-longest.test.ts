import { expect, it, onTestFinished, vi } from 'vitest';
import { HeldMessage } from '../../src/events/sqs/held-message.ts';
import { LinkLog } from '../../src/events/sqs/link-log.ts';
import type { Queue, VisibilityEntry } from '../../src/events/sqs/queue.ts';
import { Visibility } from '../../src/events/sqs/visibility.ts';
import { RecordingLog } from '../recording-log.ts';

const HOUR_MS = 3600 * 1000;
const LIMIT_MS = 12 * HOUR_MS;

it.each([30, 3600, 43_200])(
  'asks for no more than SQS allows with a timeout of %i s, and goes on with a new handle',
  async (seconds) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const changes: (VisibilityEntry & { untilMs: number })[] = [];
    const log = new RecordingLog();
    const end = new AbortController();
    const visibility = new Visibility({
      // Nothing else of it is needed.
      queue: {
        changeVisibility: async (entries: readonly VisibilityEntry[]) => {
          for (const entry of entries)
            changes.push({ ...entry, untilMs: performance.now() + entry.seconds * 1000 });
          return await Promise.resolve(entries.map(() => undefined));
        },
      } as unknown as Queue,
      seconds,
      limitMs: 1000,
      link: new LinkLog(log),
      log,
      onReleased: () => {},
      signal: end.signal,
    });
    const received = { id: 'a', body: '', handle: 'first', attempt: 1, sentMs: undefined };
    const message = new HeldMessage(received, () => {});
    const beganMs = performance.now();
    visibility.hold(message);
    await vi.advanceTimersByTimeAsync(2 * LIMIT_MS);
    const untilMs = changes.map((change) => change.untilMs - beganMs);
    expect(Math.max(...untilMs)).toBeLessThanOrEqual(LIMIT_MS);
    // Held for as long as can be: others have it in the last minute at the earliest.
    expect(Math.max(...untilMs)).toBeGreaterThan(LIMIT_MS - 60_000);
    const count = changes.length;
    message.deliveredAgain({ ...received, handle: 'second', attempt: 2 });
    visibility.hold(message);
    await vi.advanceTimersByTimeAsync(seconds * 1000);
    const more = changes.slice(count);
    expect(more.length).toBeGreaterThan(0);
    expect(more.every(({ handle }) => handle === 'second')).toBe(true);
    end.abort();
  },
);
