import type { PackedArchive, PackedPart, PackRecord, PackRecords } from './job-state.ts';
import { digestOf, packOf } from './rows.ts';
import type { Tables } from './tables.ts';

export class Packs implements PackRecords {
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

  addPart(version: number, part: PackedPart, targets: readonly string[]): void {
    const { number, size, md5 } = part;
    const values = { version, number, size, md5 };
    this.#tables.together(() => {
      this.#tables.change('INSERT OR REPLACE INTO digests VALUES ($version, $number, $size, $md5)', values);
      for (const target of targets)
        this.#tables.change(
          `INSERT INTO parts VALUES ($target, $version, $number, $size, $md5, 'pending', NULL, $changedMs)
           ON CONFLICT DO UPDATE SET size = $size, md5 = $md5, status = 'pending', etag = NULL, changedMs = $changedMs
           WHERE md5 <> $md5 OR size <> $size OR status = 'failed'`,
          { ...values, target, changedMs: Date.now() },
        );
    });
  }

  parts(version: number): ReadonlyMap<number, PackedPart> {
    const sql = 'SELECT * FROM digests WHERE version = $version ORDER BY number';
    const parts = this.#tables.all(sql, { version }).map(digestOf);
    return new Map(parts.map((part) => [part.number, part]));
  }

  packed(version: number, { size, sha256 }: PackedArchive): void {
    const values = { version, size, sha256 };
    this.#tables.change('UPDATE packs SET size = $size, sha256 = $sha256 WHERE version = $version', values);
  }

  overflowed(version: number): void {
    this.#tables.change('UPDATE packs SET isOverflowed = 1 WHERE version = $version', { version });
  }

  end(version: number): void {
    this.#tables.together(() => {
      for (const table of ['packs', 'uploads', 'parts', 'digests'])
        this.#tables.change(`DELETE FROM ${table} WHERE version = $version`, { version });
    });
    this.#tables.emptyJournal();
  }
}
