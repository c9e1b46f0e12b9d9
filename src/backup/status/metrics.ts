import { Counter, Gauge, type Registry } from 'prom-client';
import type { StoreHealth } from '../check/store-health.ts';
import { isStoreUp } from '../check/store-health.ts';
import type { RunRecord } from '../state/job-state.ts';
import type { NoticeCounts } from '../../notices/notice-store.ts';

/** What there is to know of the jobs of a daemon, from their states. */
export interface BackupStanding {
  readonly nowMs: number;
  readonly jobs: readonly JobStanding[];
  readonly stores: readonly StoreHealth[];
}

export interface JobStanding {
  readonly job: string;
  /** The newest first. */
  readonly runs: readonly RunRecord[];
  /** The time that the newest complete backup is of, in ms since the epoch; undefined: there is none. */
  readonly newestMs: number | undefined;
  /** By store: the time that the newest backup is of that was verified there, and found right. */
  readonly verifiedMs: ReadonlyMap<string, number>;
  /** By store: what the last verification has found wrong with one of its complete backups, the newest of these. */
  readonly faults: ReadonlyMap<string, string>;
  readonly maxAgeMs: number | undefined;
  /** Older than that. */
  readonly isOverdue: boolean;
  /** By name of the rule. */
  readonly notices: ReadonlyMap<string, NoticeCounts>;
}

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly labels: readonly string[];
  readonly samples: readonly Sample[];
}

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Prometheus has a label "job" of its own, and would rename ours. */
const JOB = 'backup';

type OfJob = (standing: JobStanding, nowMs: number) => number | undefined;

/** Of the last run that has ended; a job that never ran has none. */
function ofLastRun(of: (run: RunRecord, endedMs: number) => number): OfJob {
  return ({ runs }) => {
    const run = runs.find(({ endedMs }) => endedMs !== undefined);
    return run?.endedMs === undefined ? undefined : of(run, run.endedMs);
  };
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

/** One sample a job. */
const OF_JOBS: readonly (readonly [name: string, help: string, of: OfJob])[] = [
  [
    'last_success_timestamp_seconds',
    'When the last run ended that was complete and without problems',
    ({ runs }) => seconds(runs.find(({ stage }) => stage === 'done')?.endedMs),
  ],
  [
    'newest_timestamp_seconds',
    'The time that the newest complete backup is of',
    ({ newestMs }) => seconds(newestMs),
  ],
  [
    'running',
    'Whether a run is under way',
    ({ runs }) => Number(runs[0]?.endedMs === undefined && runs.length > 0),
  ],
  [
    'overdue',
    'Whether the newest complete backup is older than maxAge',
    ({ maxAgeMs, isOverdue }) => (maxAgeMs === undefined ? undefined : Number(isOverdue)),
  ],
  ['max_age_seconds', 'How old the newest complete backup may be', ({ maxAgeMs }) => seconds(maxAgeMs)],
  ['last_run_timestamp_seconds', 'When the last run ended', ofLastRun((_, endedMs) => endedMs / 1000)],
  [
    'last_run_failed',
    'Whether the last run has failed',
    ofLastRun(({ stage }) => Number(stage === 'failed')),
  ],
  [
    'last_run_duration_seconds',
    'How long the last run took',
    ofLastRun(({ startedMs }, endedMs) => Math.max(0, endedMs - startedMs) / 1000),
  ],
  ['last_run_bytes', 'Bytes that the last run has packed', ofLastRun(({ bytes }) => bytes)],
  ['last_run_files', 'Files that the last run has packed', ofLastRun(({ files }) => files)],
  ['last_run_retries', 'Requests that the last run had to make again', ofLastRun(({ retries }) => retries)],
  [
    'last_run_problems',
    'Files that the last run could not back up as they are',
    ofLastRun(({ problems }) => problems),
  ],
];

/** All metrics of backups, of what their states say. */
export function metricsOf({ nowMs, jobs, stores }: BackupStanding): readonly MetricFamily[] {
  return [
    ...OF_JOBS.map(([name, help, of]) =>
      family(
        name,
        help,
        [JOB],
        jobs.flatMap((standing) => sample({ [JOB]: standing.job }, of(standing, nowMs))),
      ),
    ),
    family(
      'newest_verified_age_seconds',
      'Age of the newest backup that was read back and found right',
      [JOB, 'store'],
      jobs.flatMap(({ job, verifiedMs }) =>
        [...verifiedMs].flatMap(([store, ms]) =>
          sample({ [JOB]: job, store }, Math.max(0, nowMs - ms) / 1000),
        ),
      ),
    ),
    family('notices_waiting', 'Notices that nobody has taken yet', [JOB, 'rule'], ofNotices(jobs, 'waiting')),
    {
      ...family(
        'notices_lost_total',
        'Notices that nobody has taken',
        [JOB, 'rule'],
        ofNotices(jobs, 'lost'),
      ),
      type: 'counter',
    },
    ...ofStores(stores),
  ];
}

/** All metrics of one answer are of one look at the states, in ms: they are asked for one after the other, at once. */
const ONE_LOOK_MS = 100;

/** Keeps them in `registry`, read when somebody asks. */
export function measureBackups(registry: Registry, read: () => BackupStanding): void {
  const registers = [registry];
  let look: { readonly atMs: number; readonly families: readonly MetricFamily[] } | undefined;
  const families = (): readonly MetricFamily[] => {
    const atMs = performance.now();
    if (look === undefined || atMs - look.atMs > ONE_LOOK_MS) look = { atMs, families: metricsOf(read()) };
    return look.families;
  };
  for (const { name, help, type, labels } of metricsOf({ nowMs: 0, jobs: [], stores: [] })) {
    const fill = (set: (sample: Sample) => void): void => {
      const found = families().find((one) => one.name === name);
      for (const one of found?.samples ?? []) set(one);
    };
    const settings = { name, help, labelNames: [...labels], registers };
    if (type === 'counter') {
      const counter = new Counter({
        ...settings,
        collect: () => {
          counter.reset();
          fill(({ labels, value }) => counter.inc({ ...labels }, value));
        },
      });
    } else {
      const gauge = new Gauge({
        ...settings,
        collect: () => {
          gauge.reset();
          fill(({ labels, value }) => gauge.set({ ...labels }, value));
        },
      });
    }
  }
}

function ofStores(stores: readonly StoreHealth[]): readonly MetricFamily[] {
  const servers = stores.flatMap(({ store, endpoints }) =>
    endpoints.map((one) => ({ labels: { store, endpoint: one.endpoint }, ...one })),
  );
  const quantiles = (of: 'connectMs' | 'firstByteMs'): Sample[] =>
    servers.flatMap(({ labels, measured }) => {
      const found = measured?.[of];
      return [
        ...sample({ ...labels, quantile: '0.5' }, seconds(found?.p50)),
        ...sample({ ...labels, quantile: '0.95' }, seconds(found?.p95)),
      ];
    });
  return [
    family(
      'store_up',
      'Whether any server of a store can be used',
      ['store'],
      stores.flatMap((one) => sample({ store: one.store }, Number(isStoreUp(one)))),
    ),
    family(
      'endpoint_up',
      'Whether a server of a store can be used',
      ['store', 'endpoint'],
      servers.flatMap(({ labels, isUp }) => sample(labels, Number(isUp))),
    ),
    family(
      'endpoint_lost_ratio',
      'Share of the last requests that a server did not answer',
      ['store', 'endpoint'],
      servers.flatMap(({ labels, measured }) =>
        measured === undefined ? [] : sample(labels, measured.lost / measured.samples),
      ),
    ),
    family(
      'endpoint_connect_seconds',
      'To an open connection to a server',
      ['store', 'endpoint', 'quantile'],
      quantiles('connectMs'),
    ),
    family(
      'endpoint_first_byte_seconds',
      'From there to the first byte of an answer',
      ['store', 'endpoint', 'quantile'],
      quantiles('firstByteMs'),
    ),
  ];
}

function ofNotices(jobs: readonly JobStanding[], count: 'waiting' | 'lost'): Sample[] {
  return jobs.flatMap(({ job, notices }) =>
    [...notices].flatMap(([rule, counts]) => sample({ [JOB]: job, rule }, counts[count])),
  );
}

function family(
  name: string,
  help: string,
  labels: readonly string[],
  samples: readonly Sample[],
): MetricFamily {
  return { name: `isync_backup_${name}`, help, type: 'gauge', labels, samples };
}

/** What is not known is not shown: a 0 would be a time or a size. */
function sample(labels: Sample['labels'], value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels, value }];
}
