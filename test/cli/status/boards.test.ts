import { describe, expect, it } from 'vitest';
import type { StoreHealth } from '../../../src/backup/check/store-health.ts';
import type { RunRecord } from '../../../src/backup/state/job-state.ts';
import type { JobStanding } from '../../../src/backup/status/metrics.ts';
import { backupBoard } from '../../../src/cli/status/backup-board.ts';
import { eventsBoard } from '../../../src/cli/status/events-board.ts';
import { mirrorBoard } from '../../../src/cli/status/mirror-board.ts';
import { MirrorTally } from '../../../src/cli/status/mirror-tally.ts';
import { webhookBoard } from '../../../src/cli/status/webhook-board.ts';
import { WebhookTally } from '../../../src/cli/status/webhook-tally.ts';
import { WorkTally } from '../../../src/events/work/work-tally.ts';
import type { StatusBoard } from '../../../src/observe/status/status-board.ts';

const { signal } = new AbortController();

describe('the board of work on events', () => {
  it('tells what is wrong for as long as it is', async () => {
    const source = { where: 'sqs: events', isReachable: true, inHand: 0 };
    const parking = { count: 0 };
    const now: { isDiskFull: boolean; away: Error | undefined } = { isDiskFull: false, away: undefined };
    const running = () => now;
    const { board, look } = eventsBoard('pull', { source, parking, tally: new WorkTally(), running, signal });
    const seen = async () => {
      await look();
      const { activity, alarms } = board.report();
      return [activity, ...alarms.map(({ code }) => code)];
    };
    expect(await seen()).toEqual(['idle']);
    source.inHand = 3;
    expect(await seen()).toEqual(['working']);
    source.isReachable = false;
    expect(await seen()).toEqual(['waiting for link', 'QUEUE_GONE']);
    source.isReachable = true;
    parking.count = 2;
    now.away = new Error('connect ECONNREFUSED');
    expect(await seen()).toEqual(['waiting for link', 'EVENTS_WAIT', 'PARKED']);
    expect(board.alarms.list()[0]?.text).toContain('ECONNREFUSED');
    now.isDiskFull = true;
    expect(await seen()).toEqual(['target full', 'EVENTS_WAIT', 'STORE_FULL', 'PARKED']);
    now.isDiskFull = false;
    now.away = undefined;
    parking.count = 0;
    expect(await seen()).toEqual(['working']);
  });

  it('counts what a webhook takes, and tells of dead messages, also while the queue does not answer', async () => {
    let isAway = false;
    let endsMs = Date.now() + 60 * 86_400_000;
    const counts = { waiting: 4, inHand: 1, dead: 1, oldestMs: 5 };
    const requests = new WebhookTally();
    requests.answered(200, 1);
    requests.answered(401, 1);
    requests.accepted(3, 1);
    const { board, look } = webhookBoard({
      source: { where: 'file: q', isReachable: true, inHand: 0 },
      parking: { count: 0 },
      tally: undefined,
      running: () => undefined,
      queue: { counts: async () => (isAway ? await Promise.reject(new Error('no answer')) : counts) },
      requests,
      certificateEndsMs: () => endsMs,
      signal,
    });
    expect(factsOf(board, 'backlog')).toMatchObject({ waiting: null, dead: null });
    await look();
    expect(factsOf(board, 'requests')).toEqual({
      taken: 1,
      refused: 1,
      records: 3,
      parked: 0,
      certificate_ends: endsMs,
    });
    expect(factsOf(board, 'backlog')).toEqual({ waiting: 4, in_hand: 1, dead: 1, oldest: 5 });
    expect(board.alarms.list()).toMatchObject([
      { code: 'DEAD_LETTERS', cure: expect.stringContaining('queue dead list') },
    ]);
    isAway = true;
    await look();
    expect(board.alarms.list()).toMatchObject([{ code: 'DEAD_LETTERS' }]);
    expect(factsOf(board, 'backlog')).toMatchObject({ waiting: null, dead: null });
    isAway = false;
    counts.dead = 0;
    endsMs = Date.now() + 86_400_000;
    await look();
    expect(board.alarms.list()).toMatchObject([{ code: 'CERT_EXPIRES', severity: 'critical' }]);
    endsMs = Date.now() + 60 * 86_400_000;
    await look();
    expect(board.alarms.count).toBe(0);
  });
});

describe('the board of a mirror', () => {
  it('tells of a bucket and of origins that are away, and counts what is served', async () => {
    const tally = new MirrorTally();
    tally.served({ outcome: 'MISS', status: 200, bytes: 10, ms: 1 });
    tally.served({ outcome: 'MISS', status: 502, bytes: 0, ms: 1 });
    tally.fills.ended('r', { kind: 'kept', bytes: 10 }, 10);
    let fault: string | undefined = 'no answer';
    const breakers = [{ origin: 'http://old.example', isOpen: true }];
    const { board, look } = mirrorBoard({
      bucket: 's3://b',
      state: () => ({ fills: 1, waiting: 0, spoolBytes: 7, breakers }),
      tally,
      check: async () => fault,
      signal,
    });
    await look();
    expect(board.report()).toMatchObject({
      activity: 'waiting for link',
      alarms: [{ code: 'STORE_GONE' }, { code: 'ORIGIN_GONE', subject: 'http://old.example' }],
    });
    expect(factsOf(board, 'requests')).toMatchObject({ requests: 2, failed: 1, bytes: 10 });
    expect(factsOf(board, 'fills')).toMatchObject({ kept: 1, kept_bytes: 10, failed: 0 });
    // A bucket is paid for by the request: it is asked again later, not each time.
    fault = undefined;
    await look();
    expect(board.alarms.list().map(({ code }) => code)).toContain('STORE_GONE');
  });
});

describe('the board of backups', () => {
  it('tells of jobs that failed, are overdue, were found damaged, or are not looked after', async () => {
    let standings: JobStanding[] = [standing('a', { stage: 'done' })];
    let stores: StoreHealth[] = [health('/mnt/usb', true)];
    let isStarting = true;
    const { board, look } = backupBoard({
      jobs: ['a', 'b'],
      standings: () => standings,
      stores: () => stores,
      isStarting: () => isStarting,
      configFile: '/etc/b.yaml',
      signal,
    });
    const seen = async () => {
      await look();
      return board.alarms.list().map(({ code, subject }) => `${code} ${subject}`);
    };
    expect(await seen()).toEqual([]);
    isStarting = false;
    expect(await seen()).toEqual(['JOB_UNREADABLE b']);
    standings = [
      { ...standing('a', { stage: 'failed' }), isOverdue: true, maxAgeMs: 3_600_000 },
      {
        ...standing('b', { stage: 'problems', problems: 2 }),
        faults: new Map([['/mnt/usb', 'a part is damaged']]),
      },
    ];
    stores = [health('/mnt/usb', false)];
    expect((await seen()).toSorted()).toEqual([
      'BACKUP_FAILED a',
      'BACKUP_OVERDUE a',
      'BACKUP_PROBLEMS b',
      'STORE_GONE /mnt/usb',
      'VERIFY_FAILED b at /mnt/usb',
    ]);
    const { cards } = board.report();
    expect(cards[0]?.table?.rows.map(({ key, alarmed }) => [key, alarmed])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    standings = [standing('a', { stage: 'done' }), standing('b', { stage: 'packing', endedMs: undefined })];
    stores = [health('/mnt/usb', true)];
    expect(await seen()).toEqual([]);
    expect(board.report().activity).toBe('working');
  });
});

function factsOf(board: StatusBoard, card: string): Record<string, unknown> {
  const facts = board.report().cards.find(({ id }) => id === card)?.facts ?? [];
  return Object.fromEntries(facts.map(({ id, value }) => [id, value]));
}

function standing(job: string, run: Partial<RunRecord>): JobStanding {
  const last: RunRecord = {
    id: job,
    startedMs: 1,
    endedMs: 2,
    type: 'full',
    trigger: 'schedule',
    stage: 'done',
    files: 1,
    bytes: 1,
    retries: 0,
    problems: 0,
    backups: [],
    error: undefined,
    ...run,
  };
  return {
    job,
    runs: [last],
    newestMs: 1,
    verifiedMs: new Map(),
    faults: new Map(),
    maxAgeMs: undefined,
    isOverdue: false,
    notices: new Map(),
  };
}

function health(store: string, isUp: boolean): StoreHealth {
  return { store, atMs: 1, endpoints: [{ endpoint: store, isUp, fault: undefined, measured: undefined }] };
}
