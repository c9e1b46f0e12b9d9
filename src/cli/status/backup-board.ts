import { isStoreUp, type StoreHealth } from '../../backup/check/store-health.ts';
import type { RunRecord } from '../../backup/state/job-state.ts';
import type { JobStanding } from '../../backup/status/metrics.ts';
import { rateWindow } from '../../observe/status/rate-window.ts';
import type { Card, Row } from '../../observe/status/report.ts';
import { backupAlarms, lastEnded } from './backup-alarms.ts';
import type { LookedAtBoard } from './looked-at-board.ts';
import { newBoard } from './new-board.ts';

export interface WatchedBackups {
  /** All of the file. */
  readonly jobs: readonly string[];
  /** Reads the states of the jobs that are looked after; those that can't be read are left out. */
  readonly standings: () => readonly JobStanding[];
  readonly stores: () => readonly StoreHealth[];
  /** Whether jobs are still being opened: one that is not looked after is none to worry about until then. */
  readonly isStarting: () => boolean;
  readonly configFile: string;
  readonly signal: AbortSignal;
}

export function backupBoard(watched: WatchedBackups): LookedAtBoard {
  const { jobs, signal, configFile } = watched;
  const board = newBoard('backup', configFile);
  // Read between reports: each is some queries of a database.
  let standings: readonly JobStanding[] = [];
  const running = (): RunRecord[] => standings.map(runningOf).filter((run) => run !== undefined);
  const rate = rateWindow(() => running().reduce((sum, { bytes }) => sum + bytes, 0));
  board.activity = () => {
    if (signal.aborted) return 'stopping';
    return running().length > 0 ? 'working' : 'idle';
  };
  board.add(() => jobsCard(jobs, standings, rate()));
  board.add(() => storesCard(watched.stores()));
  const alarms = backupAlarms(board.alarms, configFile);
  return {
    board,
    look: () => {
      standings = watched.standings();
      const looked = watched.isStarting() ? standings.map(({ job }) => job) : jobs;
      alarms({ jobs: looked, standings, stores: watched.stores() });
    },
  };
}

function jobsCard(jobs: readonly string[], standings: readonly JobStanding[], rate: number | null): Card {
  const rows = jobs.map((job): Row => {
    const standing = standings.find((one) => one.job === job);
    const last = standing?.runs[0];
    const isAlarmed = standing === undefined || standing.isOverdue || lastEnded(standing)?.stage === 'failed';
    const state = standing === undefined ? 'not looked after yet' : (last?.stage ?? 'never ran');
    return {
      key: job,
      cells: [
        job,
        state,
        last?.startedMs ?? null,
        last?.files ?? null,
        last?.bytes ?? null,
        standing?.newestMs ?? null,
        newestVerified(standing),
      ],
      alarmed: isAlarmed,
    };
  });
  return {
    id: 'jobs',
    title: 'Jobs',
    facts: [{ id: 'rate', label: 'Packed', value: rate, unit: 'bytesPerSecond' }],
    table: {
      columns: [
        { id: 'job', label: 'Job' },
        { id: 'state', label: 'Last run' },
        { id: 'began', label: 'Began', unit: 'time' },
        { id: 'files', label: 'Files', unit: 'count' },
        { id: 'bytes', label: 'Bytes', unit: 'bytes' },
        { id: 'newest', label: 'Newest backup', unit: 'time' },
        { id: 'verified', label: 'Newest verified', unit: 'time' },
      ],
      rows,
      total: rows.length,
    },
  };
}

function storesCard(stores: readonly StoreHealth[]): Card {
  const rows = stores.map((store): Row => {
    const up = store.endpoints.filter(({ isUp }) => isUp).length;
    return {
      key: store.store,
      cells: [store.store, isStoreUp(store), `${up} of ${store.endpoints.length}`, store.atMs],
      alarmed: !isStoreUp(store),
    };
  });
  return {
    id: 'stores',
    title: 'Stores',
    facts: [],
    table: {
      columns: [
        { id: 'store', label: 'Store' },
        { id: 'up', label: 'Can be used' },
        { id: 'servers', label: 'Servers that can' },
        { id: 'at', label: 'Looked at', unit: 'time' },
      ],
      rows,
      total: rows.length,
    },
  };
}

function runningOf({ runs: [last] }: JobStanding): RunRecord | undefined {
  return last?.endedMs === undefined ? last : undefined;
}

function newestVerified(standing: JobStanding | undefined): number | null {
  const times = [...(standing?.verifiedMs.values() ?? [])];
  return times.length === 0 ? null : Math.max(...times);
}
