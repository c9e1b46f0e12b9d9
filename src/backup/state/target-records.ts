import type { PartRecord, TargetRecords, UploadRecord, VerificationRecord } from './job-state.ts';
import { partOf, uploadOf, verificationOf } from './rows.ts';
import type { Tables } from './tables.ts';

export class Targets implements TargetRecords {
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

  keepVerifications(target: string, versions: ReadonlySet<number>): void {
    const rows = this.#tables.all('SELECT version FROM verifications WHERE target = $target', { target });
    const sql = 'DELETE FROM verifications WHERE target = $target AND version = $version';
    this.#tables.together(() => {
      for (const version of rows.map((row) => Number(row['version'])))
        if (!versions.has(version)) this.#tables.change(sql, { target, version });
    });
  }

  allCached(target: string): readonly { readonly key: string; readonly bytes: Uint8Array }[] {
    const rows = this.#tables.all('SELECT key, bytes FROM manifests WHERE target = $target', { target });
    return rows.flatMap(({ key, bytes }) =>
      bytes instanceof Uint8Array ? [{ key: String(key), bytes }] : [],
    );
  }

  noteRemoval(target: string, keys: Iterable<string>): void {
    this.#tables.together(() => {
      for (const key of keys)
        this.#tables.change('INSERT OR REPLACE INTO removals VALUES ($target, $key)', { target, key });
    });
  }

  endRemoval(target: string, keys: Iterable<string>): void {
    this.#tables.together(() => {
      for (const key of keys)
        this.#tables.change('DELETE FROM removals WHERE target = $target AND key = $key', { target, key });
    });
  }

  noteLock(target: string, key: string, untilMs: number, nowMs: number): void {
    this.#tables.together(() => {
      this.#tables.change('DELETE FROM locks WHERE untilMs < $nowMs', { nowMs });
      const sql = 'INSERT OR REPLACE INTO locks VALUES ($target, $key, $untilMs)';
      this.#tables.change(sql, { target, key, untilMs });
    });
  }

  lockNoted(target: string, key: string): number {
    const sql = 'SELECT untilMs FROM locks WHERE target = $target AND key = $key';
    return Number(this.#tables.one(sql, { target, key })?.['untilMs'] ?? 0);
  }

  removals(target: string): ReadonlySet<string> {
    const rows = this.#tables.all('SELECT key FROM removals WHERE target = $target', { target });
    return new Set(rows.map((row) => String(row['key'])));
  }

  /** `meta` may have one for all targets, of an older isync. */
  agreedVersion(target: string): number {
    const own = 'SELECT version FROM agreements WHERE target = $target';
    const sql = `SELECT max(agreedVersion, coalesce((${own}), 0)) AS version FROM meta`;
    return Number(this.#tables.one(sql, { target })?.['version']);
  }

  agree(target: string, version: number): void {
    const sql = `INSERT INTO agreements VALUES ($target, $version)
      ON CONFLICT DO UPDATE SET version = max(version, excluded.version)`;
    this.#tables.change(sql, { target, version });
  }
}
