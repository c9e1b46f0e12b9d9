import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { openDatabase, stateError } from './database.ts';
import {
  type JobState,
  MAX_RUNS,
  type PackRecord,
  type PackRecords,
  type PartRecord,
  type RunRecord,
  type RunRecords,
  type TargetRecords,
  type UploadRecord,
  type VerificationRecord,
} from './job-state.ts';
import { packOf, partOf, runOf, uploadOf, verificationOf } from './rows.ts';

/** Name in the folder of the job. */
const STATE_FILE = 'state.db';

type Values = Readonly<Record<string, SQLInputValue>>;

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

class Packs implements PackRecords {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  begin(record: PackRecord): void {
    const { run, version, name, type, base, startedMs, partBytes, secrets, isOverflowed, targets } = record;
    this.#tables.change(
      `INSERT OR REPLACE INTO packs
       (version, run, name, type, base, startedMs, partBytes, header, fileKey, nonce, isOverflowed, targets)
       VALUES ($version, $run, $name, $type, $base, $startedMs, $partBytes, $header, $fileKey, $nonce, $isOverflowed, $targets)`,
      {
        run,
        version,
        name,
        type,
        startedMs,
        partBytes,
        base: base ?? null,
        header: secrets?.header ?? null,
        fileKey: secrets?.fileKey ?? null,
        nonce: secrets?.nonce ?? null,
        isOverflowed: isOverflowed ? 1 : 0,
        targets: JSON.stringify(targets),
      },
    );
  }

  find(): readonly PackRecord[] {
    return this.#tables.all('SELECT * FROM packs ORDER BY version').map(packOf);
  }

  packed(version: number, { size, sha256 }: Parameters<PackRecords['packed']>[1]): void {
    const values = { version, size, sha256 };
    this.#tables.change('UPDATE packs SET size = $size, sha256 = $sha256 WHERE version = $version', values);
  }

  overflowed(version: number): void {
    this.#tables.change('UPDATE packs SET isOverflowed = 1 WHERE version = $version', { version });
  }

  end(version: number): void {
    this.#tables.together(() => {
      for (const table of ['packs', 'uploads', 'parts'])
        this.#tables.change(`DELETE FROM ${table} WHERE version = $version`, { version });
    });
  }
}

class Targets implements TargetRecords {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  upload(target: string, version: number): UploadRecord | undefined {
    const sql = 'SELECT * FROM uploads WHERE target = $target AND version = $version';
    const row = this.#tables.one(sql, { target, version });
    return row && uploadOf(row);
  }

  /** Another upload of that archive has other parts. */
  beginUpload(target: string, { version, key, id }: Parameters<TargetRecords['beginUpload']>[1]): void {
    this.#tables.together(() => {
      this.#tables.change('DELETE FROM parts WHERE target = $target AND version = $version', {
        target,
        version,
      });
      this.#tables.change(`INSERT OR REPLACE INTO uploads VALUES ($target, $version, $key, $id, 'pending')`, {
        target,
        version,
        key,
        id,
      });
    });
  }

  endUpload(target: string, version: number, outcome: 'complete' | 'failed'): void {
    const sql = 'UPDATE uploads SET outcome = $outcome WHERE target = $target AND version = $version';
    this.#tables.change(sql, { target, version, outcome });
  }

  parts(target: string, version: number): readonly PartRecord[] {
    const sql = 'SELECT * FROM parts WHERE target = $target AND version = $version ORDER BY number';
    return this.#tables.all(sql, { target, version }).map(partOf);
  }

  setPart(target: string, version: number, part: PartRecord): void {
    this.#tables.change(
      'INSERT OR REPLACE INTO parts VALUES ($target, $version, $number, $size, $md5, $status, $etag, $changedMs)',
      { target, version, ...part, etag: part.etag ?? null },
    );
  }

  cached(target: string, key: string, etag: string): Uint8Array | undefined {
    const sql = 'SELECT bytes FROM manifests WHERE target = $target AND key = $key AND etag = $etag';
    const bytes = this.#tables.one(sql, { target, key, etag })?.['bytes'];
    return bytes instanceof Uint8Array ? bytes : undefined;
  }

  cache(target: string, key: string, etag: string, bytes: Uint8Array): void {
    const sql = 'INSERT OR REPLACE INTO manifests VALUES ($target, $key, $etag, $bytes)';
    this.#tables.change(sql, { target, key, etag, bytes });
  }

  keepCached(target: string, keys: ReadonlySet<string>): void {
    const rows = this.#tables.all('SELECT key FROM manifests WHERE target = $target', { target });
    this.#tables.together(() => {
      for (const key of rows.map((row) => String(row['key'])))
        if (!keys.has(key))
          this.#tables.change('DELETE FROM manifests WHERE target = $target AND key = $key', { target, key });
    });
  }

  verification(target: string, version: number): VerificationRecord | undefined {
    const sql = 'SELECT * FROM verifications WHERE target = $target AND version = $version';
    const row = this.#tables.one(sql, { target, version });
    return row && verificationOf(row);
  }

  setVerification(target: string, version: number, found: VerificationRecord): void {
    this.#tables.change(
      'INSERT OR REPLACE INTO verifications VALUES ($target, $version, $atMs, $depth, $fault, $readTo)',
      { target, version, ...found, fault: found.fault ?? null },
    );
  }
}

/** Statements, each prepared once; what they fail with is an IsyncError. */
class Tables implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  one(sql: string, values: Values = {}) {
    return this.#guard(() => this.#statement(sql).get({ ...values }));
  }

  all(sql: string, values: Values = {}) {
    return this.#guard(() => this.#statement(sql).all({ ...values }));
  }

  change(sql: string, values: Values): void {
    this.#guard(() => this.#statement(sql).run({ ...values }));
  }

  together(run: () => void): void {
    this.#guard(() => this.#db.exec('BEGIN IMMEDIATE'));
    try {
      run();
      this.#guard(() => this.#db.exec('COMMIT'));
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string) {
    const known = this.#statements.get(sql) ?? this.#db.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw stateError(error, this.#path);
    }
  }
}
