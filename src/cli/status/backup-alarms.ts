import { faultText } from '../../backup/check/probe.ts';
import { isStoreUp, type StoreHealth } from '../../backup/check/store-health.ts';
import type { RunRecord } from '../../backup/state/job-state.ts';
import type { JobStanding } from '../../backup/status/metrics.ts';
import type { Alarms, RaisedAlarm } from '../../observe/status/alarms.ts';
import { formatCount, formatSeconds } from '../../observe/units.ts';

interface LookedAt {
  readonly jobs: readonly string[];
  readonly standings: readonly JobStanding[];
  readonly stores: readonly StoreHealth[];
}

type Said = Omit<RaisedAlarm, 'code' | 'subject'>;

/** Returns what raises the alarms of the jobs and their stores, and clears those that are over. */
export function backupAlarms(alarms: Alarms, configFile: string): (seen: LookedAt) => void {
  return ({ jobs, standings, stores }) => {
    const known = new Set(standings.map(({ job }) => job));
    for (const job of jobs) alarms.set('JOB_UNREADABLE', job, known.has(job) ? undefined : unreadable(job));
    for (const standing of standings) {
      const { job } = standing;
      const run = lastEnded(standing);
      alarms.set('BACKUP_OVERDUE', job, standing.isOverdue ? overdue(standing) : undefined);
      alarms.set('BACKUP_FAILED', job, run?.stage === 'failed' ? failed(job, run, configFile) : undefined);
      alarms.set(
        'BACKUP_PROBLEMS',
        job,
        run?.stage === 'problems' ? problems(job, run, configFile) : undefined,
      );
      for (const { store } of stores) {
        const fault = standing.faults.get(store);
        const subject = `${job} at ${store}`;
        alarms.set('VERIFY_FAILED', subject, fault === undefined ? undefined : unverified(job, store, fault));
      }
    }
    for (const store of stores)
      alarms.set('STORE_GONE', store.store, isStoreUp(store) ? undefined : gone(store, configFile));
  };
}

/** The last run that has ended. */
export function lastEnded({ runs }: JobStanding): RunRecord | undefined {
  return runs.find(({ endedMs }) => endedMs !== undefined);
}

function unreadable(job: string): Said {
  return {
    severity: 'critical',
    text: `The job ${job} is not looked after: its state can't be opened or read.`,
    cure: 'The log says why. It is tried again each minute; the other jobs go on.',
  };
}

function overdue({ job, newestMs, maxAgeMs = 0 }: JobStanding): Said {
  const limit = formatSeconds(maxAgeMs / 1000);
  const newest =
    newestMs === undefined ? 'has no complete backup' : `has none since ${new Date(newestMs).toISOString()}`;
  return {
    severity: 'critical',
    text: `The job ${job} ${newest}; maxAge is ${limit}.`,
    cure: `Why did its last runs not end well? "isync backup status" and the log say it; "isync backup run ${job}" makes one now.`,
  };
}

function failed(
  job: string,
  { error }: { readonly error: { readonly message: string } | undefined },
  configFile: string,
): Said {
  return {
    severity: 'critical',
    text: `The last run of ${job} has failed: ${error?.message ?? 'the log says why'}`,
    cure: `"isync backup check --config ${configFile}" says what is lacking. The next run goes on where this one ended.`,
  };
}

function problems(job: string, { problems: count }: { readonly problems: number }, configFile: string): Said {
  return {
    severity: 'warning',
    text: `The last run of ${job} had ${formatCount(count, 'problem')}: what these are about is not in the backup.`,
    cure: `The log has each with its path; "isync backup status --config ${configFile}" has the rest.`,
  };
}

function unverified(job: string, store: string, fault: string): Said {
  return {
    severity: 'critical',
    text: `A backup of ${job} at ${store} is not as it was made: ${fault}`,
    cure: 'Do not rely on it. Run a full backup now ("isync backup run --type full"), then look for what damages the store.',
  };
}

function gone(store: StoreHealth, configFile: string): Said {
  return {
    severity: 'critical',
    text: `The store ${store.store} can't be used: ${store.endpoints.map(faultText).join('; ')}`,
    cure: `Are network, credentials and mount as they should be? "isync backup check --config ${configFile}" tries all of it.`,
  };
}
