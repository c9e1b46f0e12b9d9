import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openDatabase } from './database.ts';
import {
  type JobState,
  MAX_RUNS,
  type PackRecords,
  type RunRecord,
  type RunRecords,
  type TargetRecords,
} from './job-state.ts';
import { Packs } from './pack-records.ts';
import { runOf } from './rows.ts';
import { Tables } from './tables.ts';
import { Targets } from './target-records.ts';

/** Name in the folder of the job. */
export const STATE_FILE = 'state.db';

/**
 * The state of a job, made where it is missing. Who changes it holds the run lock; others may read meanwhile.
 * @param stateDir of the job; the folder above it must be there
 * @throws IsyncError STORE_MISSING, STORE_FULL, STORE_FAILED, as every call does
 */
export async function openJobState(stateDir: string): Promise<JobState> {
  const path = join(stateDir, STATE_FILE);
  return new SqliteState(new Tables(await openDatabase(path, randomUUID()), path));
}

class SqliteState implements JobState {
  readonly runs: RunRecords;
  readonly packs: PackRecords;
  readonly targets: TargetRecords;
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.runs = new Runs(tables);
    this.packs = new Packs(tables);
    this.targets = new Targets(tables);
  }

  get jobId(): string {
    return String(this.#tables.one('SELECT jobId FROM meta')?.['jobId']);
  }

  adopt(jobId: string): void {
    this.#tables.change('UPDATE meta SET jobId = $jobId', { jobId });
  }

  takeVersion(seen: number): number {
    const sql = `UPDATE meta SET highestVersion = max(highestVersion, $seen) + 1 RETURNING highestVersion`;
    return Number(this.#tables.one(sql, { seen })?.['highestVersion']);
  }

  [Symbol.dispose](): void {
    this.#tables[Symbol.dispose]();
  }
}

class Runs implements RunRecords {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  begin({ id, startedMs, type, trigger }: Parameters<RunRecords['begin']>[0]): void {
    this.#tables.change(
      `INSERT INTO runs (id, startedMs, type, trigger, stage, files, bytes, retries, problems, backups)
       VALUES ($id, $startedMs, $type, $trigger, 'before', 0, 0, 0, 0, '[]')`,
      { id, startedMs, type, trigger },
    );
    this.#tables.change('DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - $most', {
      most: MAX_RUNS,
    });
  }

  update(id: string, change: Partial<Omit<RunRecord, 'id'>>): void {
    const before = this.#tables.one('SELECT * FROM runs WHERE id = $id', { id });
    if (before === undefined) return;
    const run = { ...runOf(before), ...change };
    this.#tables.change(
      `UPDATE runs SET startedMs = $startedMs, endedMs = $endedMs, type = $type, trigger = $trigger, stage = $stage,
       files = $files, bytes = $bytes, retries = $retries, problems = $problems, backups = $backups, error = $error
       WHERE id = $id`,
      {
        ...run,
        endedMs: run.endedMs ?? null,
        backups: JSON.stringify(run.backups),
        error: run.error === undefined ? null : JSON.stringify(run.error),
      },
    );
  }

  list(limit = MAX_RUNS): readonly RunRecord[] {
    return this.#tables.all('SELECT * FROM runs ORDER BY number DESC LIMIT $limit', { limit }).map(runOf);
  }
}
