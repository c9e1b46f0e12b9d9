import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Duty } from '../../src/backup/daemon/kept-times.ts';
import { Scheduler, type ScheduledDuty } from '../../src/backup/daemon/scheduler.ts';
import { type Ended, Timetable } from '../../src/backup/daemon/timetable.ts';
import type { JobSchedule } from '../../src/backup/job.ts';
import { scheduleOf } from '../../src/backup/schedule/due.ts';
import { RecordingLog } from '../recording-log.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Begun {
  readonly job: string;
  readonly duty: Duty;
  readonly at: string;
  readonly isCatchUp: boolean;
}

/** A scheduler that runs by the fake clock. */
class Stage implements AsyncDisposable {
  readonly begun: Begun[] = [];
  readonly #stop = new AbortController();
  readonly #scheduler = new Scheduler(new RecordingLog());
  readonly #followed: Promise<void>;
  isOver = false;

  constructor() {
    this.#followed = this.#scheduler.follow(this.#stop.signal).then(() => {
      this.isOver = true;
    });
  }

  /** @param work what a duty does; it takes no time by default */
  add(
    job: string,
    schedule: JobSchedule,
    {
      duty = 'run',
      timezone = 'UTC',
      work = async () => 'done',
    }: {
      readonly duty?: Duty;
      readonly timezone?: string;
      readonly work?: (signal: AbortSignal) => Promise<Ended>;
    } = {},
  ): void {
    const timetable = new Timetable({
      schedule: scheduleOf(schedule, timezone),
      name: job,
      jitterMs: 0,
      sinceMs: Date.now(),
      keep: () => undefined,
    });
    const doing: ScheduledDuty['work'] = async ({ isCatchUp }, signal) => {
      this.begun.push({ job, duty, isCatchUp, at: new Date().toISOString().replace(':00.000Z', 'Z') });
      return await work(signal);
    };
    this.#scheduler.add([{ job, duty, timetable, work: doing }]);
  }

  get times(): string[] {
    return this.begun.map(({ at }) => at);
  }

  stop(): void {
    this.#stop.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await vi.advanceTimersByTimeAsync(HOUR);
    await this.#followed;
  }
}

const taking =
  (milliseconds: number): (() => Promise<Ended>) =>
  () =>
    new Promise((resolve) => setTimeout(() => resolve('done'), milliseconds));

const nightly = { kind: 'cron', pattern: '0 30 2 * * *' } as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.parse('2025-01-01T12:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a daemon begins a job', () => {
  it('at each of its times', async () => {
    await using stage = new Stage();
    stage.add('app', nightly);
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(stage.times).toEqual(['2025-01-02T02:30Z', '2025-01-03T02:30Z']);
    expect(stage.begun.map(({ isCatchUp }) => isCatchUp)).toEqual([false, false]);
  });

  it('right after the hour that the clocks skip, once', async () => {
    vi.setSystemTime('2025-03-29T12:00Z');
    await using stage = new Stage();
    stage.add('app', nightly, { timezone: 'Europe/Berlin' });
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(stage.times).toEqual(['2025-03-30T01:00Z', '2025-03-31T00:30Z']);
  });

  it('once in the hour that comes twice', async () => {
    vi.setSystemTime('2025-10-25T12:00Z');
    await using stage = new Stage();
    stage.add('app', nightly, { timezone: 'Europe/Berlin' });
    await vi.advanceTimersByTimeAsync(2 * DAY);
    expect(stage.times).toEqual(['2025-10-26T00:30Z', '2025-10-27T01:30Z']);
  });

  it('once, soon after the machine has slept for three days', async () => {
    await using stage = new Stage();
    stage.add('app', nightly);
    await vi.advanceTimersByTimeAsync(HOUR);
    // Timers stand still meanwhile, the clock does not.
    vi.setSystemTime('2025-01-04T13:00Z');
    await vi.advanceTimersByTimeAsync(21_000);
    expect(stage.begun).toMatchObject([{ isCatchUp: true }]);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(stage.begun).toHaveLength(1);
  });

  it('though the clock had been years ahead', async () => {
    vi.setSystemTime('2031-07-01T02:00Z');
    await using stage = new Stage();
    stage.add('app', nightly);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(stage.times).toEqual(['2031-07-01T02:30Z']);
    vi.setSystemTime('2025-01-01T12:00Z');
    await vi.advanceTimersByTimeAsync(DAY);
    expect(stage.times).toEqual(['2031-07-01T02:30Z', '2025-01-02T02:30Z']);
  });

  it('again once a run that outlasted its interval has ended, and not meanwhile', async () => {
    await using stage = new Stage();
    stage.add('app', { kind: 'every', everyMs: 10 * MINUTE }, { work: taking(25 * MINUTE) });
    await vi.advanceTimersByTimeAsync(61 * MINUTE);
    expect(stage.times).toEqual(['2025-01-01T12:10Z', '2025-01-01T12:35Z', '2025-01-01T13:00Z']);
    expect(stage.begun.map(({ isCatchUp }) => isCatchUp)).toEqual([false, true, false]);
  });

  it('at its very second, though it slept for long before', async () => {
    await using stage = new Stage();
    stage.add('app', { kind: 'cron', pattern: '7 0 0 5 1 *' });
    await vi.advanceTimersByTimeAsync(4 * DAY);
    expect(stage.times).toEqual(['2025-01-05T00:00:07.000Z']);
  });
});

describe('at one time', () => {
  it('a job is run or verified, its run first', async () => {
    await using stage = new Stage();
    const work = taking(30 * MINUTE);
    stage.add('app', nightly, { duty: 'verify', work });
    stage.add('app', nightly, { work });
    await vi.advanceTimersByTimeAsync(DAY);
    expect(stage.begun).toMatchObject([
      { duty: 'run', at: '2025-01-02T02:30Z' },
      { duty: 'verify', at: '2025-01-02T03:00Z' },
    ]);
  });

  it('neither starves the other where a run takes longer than its interval', async () => {
    await using stage = new Stage();
    const minutely = { kind: 'every', everyMs: MINUTE } as const;
    stage.add('app', minutely, { work: taking(5 * MINUTE) });
    stage.add('app', minutely, { duty: 'verify', work: taking(5 * MINUTE) });
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(stage.begun.slice(0, 4).map(({ duty }) => duty)).toEqual(['run', 'verify', 'run', 'verify']);
  });

  it('four jobs are under way, and the others follow in the order of their times', async () => {
    await using stage = new Stage();
    let running = 0;
    let most = 0;
    const work = async (): Promise<Ended> => {
      most = Math.max(most, ++running);
      await taking(HOUR)();
      running -= 1;
      return 'done';
    };
    for (let job = 9; job >= 1; job--)
      stage.add(`job${job}`, { kind: 'cron', pattern: `${job} 2 * * *` }, { work });
    await vi.advanceTimersByTimeAsync(DAY);
    expect(most).toBe(4);
    expect(stage.begun.map(({ job }) => job)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `job${n}`));
    expect(stage.times[4]).toBe('2025-01-02T03:01Z');
  });
});

describe('a run', () => {
  it('that fails in passing is tried again three times, and then at its next time', async () => {
    await using stage = new Stage();
    stage.add('app', nightly, { work: async () => 'passing' });
    await vi.advanceTimersByTimeAsync(DAY);
    expect(stage.times).toEqual([
      '2025-01-02T02:30Z',
      '2025-01-02T02:35Z',
      '2025-01-02T02:55Z',
      '2025-01-02T03:55Z',
    ]);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(stage.begun).toHaveLength(8);
  });

  it('waits its turn while somebody else runs the job, and leaves room for other jobs', async () => {
    await using stage = new Stage();
    let isFree = false;
    for (let job = 1; job <= 5; job++)
      stage.add(`busy${job}`, nightly, { work: async () => (isFree ? 'done' : 'busy') });
    stage.add('app', nightly);
    await vi.advanceTimersByTimeAsync(15 * HOUR);
    expect(stage.begun.filter(({ job }) => job === 'app')).toHaveLength(1);
    isFree = true;
    const before = stage.begun.length;
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(stage.begun.length - before).toBe(5);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect(stage.begun.length - before).toBe(5);
  });

  it('is asked to end with the daemon, which waits for it and begins nothing else', async () => {
    await using stage = new Stage();
    const work = (signal: AbortSignal): Promise<Ended> =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => setTimeout(() => resolve('interrupted'), 5000));
      });
    stage.add('app', nightly, { work });
    stage.add('other', { kind: 'cron', pattern: '35 2 * * *' });
    await vi.advanceTimersByTimeAsync(14.5 * HOUR + MINUTE);
    stage.stop();
    await vi.advanceTimersByTimeAsync(4000);
    expect(stage.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    expect(stage.isOver).toBe(true);
    await vi.advanceTimersByTimeAsync(DAY);
    expect(stage.begun.map(({ job }) => job)).toEqual(['app']);
  });
});
