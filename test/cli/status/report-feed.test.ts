import { afterEach, describe, expect, it, vi } from 'vitest';
import { MAX_LISTENERS, ReportFeed } from '../../../src/cli/status/report-feed.ts';
import { StatusBoard } from '../../../src/observe/status/status-board.ts';
import { RecordingLog } from '../../recording-log.ts';

/** Between reports, in ms. */
const EVERY_MS = 5;

afterEach(() => {
  vi.useRealTimers();
});

describe('a feed of reports', () => {
  it('tells a whole report first, then what has changed', async () => {
    const { feed, board, facts } = makeFeed();
    const events = eventsOf(feed);
    const first = await events.next();
    expect(first).toMatchObject({ name: 'report', told: { command: 'test', activity: 'idle' } });
    facts.count = 7;
    board.alarms.raise({ code: 'X', severity: 'warning', text: 't', cure: 'c' });
    const cards = [{ id: 'card', facts: [{ value: 7 }] }];
    expect(await untilCards(events)).toMatchObject({ name: 'change', told: { alarmCount: 1, cards } });
    feed.end();
  });

  it('makes reports only while somebody listens, and once for all', async () => {
    vi.useFakeTimers();
    const { feed, board } = makeFeed();
    const made = vi.spyOn(board, 'report');
    expect(vi.getTimerCount()).toBe(0);
    expect(made).not.toHaveBeenCalled();
    const left = new AbortController();
    const one = eventsOf(feed, left.signal);
    const other = eventsOf(feed, left.signal);
    await Promise.all([one.next(), other.next()]);
    expect(made).toHaveBeenCalledTimes(1);
    for (let report = 2; report < 5; report++) {
      vi.advanceTimersByTime(EVERY_MS);
      await Promise.all([one.next(), other.next()]);
      expect(made).toHaveBeenCalledTimes(report);
    }
    left.abort();
    expect(feed.listeners).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('queues nothing for who reads slowly, and tells it the newest report instead', async () => {
    const { feed, facts, board } = makeFeed();
    const slow = eventsOf(feed);
    const quick = eventsOf(feed);
    await slow.next();
    const made = vi.spyOn(board, 'report');
    facts.count = 5;
    for (let i = 0; i < 5; i++) await quick.next();
    expect(made.mock.calls.length).toBeGreaterThanOrEqual(4);
    expect(await slow.next()).toMatchObject({ name: 'report', told: { cards: [{ facts: [{ value: 5 }] }] } });
    expect(await slow.next()).toMatchObject({ name: 'change' });
    feed.end();
  });

  it('has room for a team, and again once somebody leaves', () => {
    const { feed } = makeFeed();
    const leaving = new AbortController();
    expect(feed.listen(leaving.signal)).toBeDefined();
    const staying = new AbortController();
    for (let i = 1; i < MAX_LISTENERS; i++) expect(feed.listen(staying.signal)).toBeDefined();
    expect(feed.listen(staying.signal)).toBeUndefined();
    leaving.abort();
    expect(feed.listen(staying.signal)).toBeDefined();
    feed.end();
    expect(feed.listen(staying.signal)).toBeUndefined();
  });

  it('forgets who never read', async () => {
    const { feed } = makeFeed();
    await feed.listen(new AbortController().signal)?.[Symbol.asyncIterator]().return?.();
    expect(feed.listeners).toBe(0);
  });

  it('ends its events when it ends, and when a listener leaves', async () => {
    const { feed } = makeFeed();
    const leaving = new AbortController();
    const one = eventsOf(feed, leaving.signal);
    const other = eventsOf(feed);
    await Promise.all([one.next(), other.next()]);
    leaving.abort();
    await untilEnd(one);
    feed.end();
    await untilEnd(other);
    expect(feed.listeners).toBe(0);
  });

  it('lives on where a card fails, and says so in the log', async () => {
    const { feed, board, log } = makeFeed();
    const events = eventsOf(feed);
    await events.next();
    const failing = vi.spyOn(board, 'report').mockImplementation(() => {
      throw new Error('broken card');
    });
    await vi.waitFor(() => expect(log.at('error')).not.toEqual([]));
    failing.mockRestore();
    expect(await events.next()).toMatchObject({ name: 'change' });
    feed.end();
  });
});

function makeFeed() {
  const board = new StatusBoard({ command: 'test', subject: 's', version: '1' });
  const facts = { count: 0 };
  board.activity = () => 'idle';
  board.add(() => ({
    id: 'card',
    title: 'Card',
    facts: [{ id: 'count', label: 'Count', value: facts.count, unit: 'count' }],
  }));
  const log = new RecordingLog();
  return { feed: new ReportFeed(board, log, EVERY_MS), board, facts, log };
}

interface Event {
  readonly name: string;
  readonly told: Record<string, unknown>;
}

function eventsOf(feed: ReportFeed, signal = new AbortController().signal) {
  const events = feed.listen(signal)?.[Symbol.asyncIterator]();
  return {
    async next(): Promise<Event | undefined> {
      const result = await events?.next();
      if (result === undefined || result.done === true) return undefined;
      const [, name = '', json = ''] =
        /^event: (.*)\ndata: (.*)\n\n$/.exec(Buffer.from(result.value).toString()) ?? [];
      return { name, told: JSON.parse(json) as Record<string, unknown> };
    },
  };
}

async function untilCards(events: ReturnType<typeof eventsOf>): Promise<Event | undefined> {
  for (;;) {
    const event = await events.next();
    if (event === undefined || 'cards' in event.told) return event;
  }
}

async function untilEnd(events: ReturnType<typeof eventsOf>): Promise<void> {
  while ((await events.next()) !== undefined);
}
