import { faultText } from '../../backup/check/probe.ts';
import { isStoreUp, type StoreHealth } from '../../backup/check/store-health.ts';
import type { RunRecord } from '../../backup/state/job-state.ts';
import type { JobStanding } from '../../backup/status/metrics.ts';
import { ALARMS, cureOf, setAlarm } from '../../observe/status/alarm-table.ts';
import type { Alarms } from '../../observe/status/alarms.ts';
import { formatCount, formatSeconds } from '../../observe/units.ts';

interface LookedAt {
  readonly jobs: readonly string[];
  readonly standings: readonly JobStanding[];
  readonly stores: readonly StoreHealth[];
}

/** Returns what raises the alarms of the jobs and their stores, and clears those that are over. */
export function backupAlarms(alarms: Alarms, configFile: string): (seen: LookedAt) => void {
  return ({ jobs, standings, stores }) => {
    const known = new Set(standings.map(({ job }) => job));
    for (const job of jobs)
      setAlarm(alarms, 'JOB_UNREADABLE', job, known.has(job) ? undefined : unreadable(job));
    for (const standing of standings) {
      const { job } = standing;
      const run = lastEnded(standing);
      const names = { JOB: job, FILE: configFile };
      setAlarm(
        alarms,
        'BACKUP_OVERDUE',
        job,
        standing.isOverdue ? overdue(standing) : undefined,
        cureOf('BACKUP_OVERDUE', names),
      );
      setAlarm(
        alarms,
        'BACKUP_FAILED',
        job,
        run?.stage === 'failed' ? failed(job, run) : undefined,
        cureOf('BACKUP_FAILED', names),
      );
      setAlarm(
        alarms,
        'BACKUP_PROBLEMS',
        job,
        run?.stage === 'problems' ? problems(job, run) : undefined,
        cureOf('BACKUP_PROBLEMS', names),
      );
      for (const { store } of stores) {
        const fault = standing.faults.get(store);
        setAlarm(
          alarms,
          'VERIFY_FAILED',
          `${job} at ${store}`,
          fault === undefined ? undefined : `A backup of ${job} at ${store} is not as it was made: ${fault}`,
          cureOf('VERIFY_FAILED', names),
        );
      }
    }
    for (const store of stores)
      setAlarm(
        alarms,
        'STORE_GONE',
        store.store,
        isStoreUp(store) ? undefined : gone(store),
        `${ALARMS.STORE_GONE.cure} isync backup check --config ${configFile} tries all of it.`,
      );
  };
}

/** The last run that has ended. */
export function lastEnded({ runs }: JobStanding): RunRecord | undefined {
  return runs.find(({ endedMs }) => endedMs !== undefined);
}

function unreadable(job: string): string {
  return `The job ${job} is not looked after: its state can't be opened or read.`;
}

function overdue({ job, newestMs, maxAgeMs = 0 }: JobStanding): string {
  const limit = formatSeconds(maxAgeMs / 1000);
  const newest =
    newestMs === undefined ? 'has no complete backup' : `has none since ${new Date(newestMs).toISOString()}`;
  return `The job ${job} ${newest}; maxAge is ${limit}.`;
}

function failed(job: string, { error }: RunRecord): string {
  return `The last run of ${job} has failed: ${error?.message ?? 'the log says why'}`;
}

function problems(job: string, { problems: count }: RunRecord): string {
  return `The last run of ${job} had ${formatCount(count, 'problem')}: what these are about is not in the backup.`;
}

function gone(store: StoreHealth): string {
  return `The store ${store.store} can't be used: ${store.endpoints.map(faultText).join('; ')}`;
}
