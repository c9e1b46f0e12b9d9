import type { Stats } from 'node:fs';
import { LRUCache } from 'lru-cache';
import type { RelPath } from '../model/rel-path.ts';
import { readSealRecord, type SealRecord } from './seal-record.ts';

/** Markers remembered, one a sealed directory: about 400 bytes each, so 40 MB. Others are read at each sweep. */
const MAX_RECORDS = 100_000;

interface Known {
  readonly inode: number;
  readonly ctimeMs: number;
  readonly record: SealRecord | undefined;
}

/** Caches the records of sealed directories: a marker is read once, and again when it has changed. */
export class SealRecords {
  /** Made for the first marker: the room for all of them takes 10 ms. */
  #known: LRUCache<string, Known> | undefined;

  /** The record of the marker that `stats` describe; undefined where it says nothing. */
  read(root: string, directory: RelPath, { ino, ctimeMs }: Stats): SealRecord | undefined {
    this.#known ??= new LRUCache({ max: MAX_RECORDS });
    const known = this.#known.get(directory);
    if (known?.inode === ino && known.ctimeMs === ctimeMs) return known.record;
    const record = readSealRecord(root, directory);
    this.#known.set(directory, { inode: ino, ctimeMs, record });
    return record;
  }
}
