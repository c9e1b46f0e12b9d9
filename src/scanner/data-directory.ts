import type { RelPath } from '../model/rel-path.ts';
import type { ListedFile } from './listed-file.ts';
import type { SealRecord } from './seal-record.ts';

/** finished: sealed · closed: gets no more files · unclosed: not closed, not the newest · active: the newest. */
export type DirectoryState = 'finished' | 'closed' | 'unclosed' | 'active';

/** How "newest" is decided. Ties go by natural name order ("DC10" after "DC9"). */
export type NewestBy = 'birthtime' | 'mtime' | 'name';

/** A first-level folder of the root. */
export interface DataDirectory {
  readonly name: RelPath;
  /** `st_dev` and `st_ino` of stat(2). */
  readonly device: number;
  readonly inode: number;
  readonly birthtimeMs: number;
  readonly mtimeMs: number;
  /** `finished.watch`, where it is there. */
  readonly seal: Seal | undefined;
  /** `finished.parse` is there. */
  readonly closed: boolean;
}

/** `finished.watch` as it is found. */
export interface Seal {
  /** The directory's own mtime as it was right after the seal. */
  readonly mtimeMs: number;
  /** Undefined for a marker of an older version, or one made by hand. */
  readonly record: SealRecord | undefined;
}

/** Times that differ by less, in ms, are the same: setting one rounds it. */
const SAME_TIME_MS = 0.01;

/**
 * Returns why the marker of `directory` does not stand for it; undefined where it does, and where there is none. A marker
 * without a record is believed, and so is every marker while `store` is not known (undefined).
 *
 * @param sentAs device whose folder at the store the files go to; undefined: any
 */
export function sealFault(
  directory: DataDirectory,
  store: string | undefined,
  sentAs: string | undefined,
): string | undefined {
  const record = directory.seal?.record;
  if (record === undefined) return undefined;
  if (record.directory !== directory.name) return `it was written for "${record.directory}"`;
  // The number of a device may change at a boot; then the time of birth tells a directory from a copy.
  const sameDevice = record.device === directory.device || isSameBirth(record.born, directory.birthtimeMs);
  if (record.inode !== directory.inode || !sameDevice)
    return 'it was written for another directory of this name';
  if (store !== undefined && record.store !== undefined && record.store !== store)
    return 'it was written for another store';
  if (sentAs !== undefined && record.sentAs !== undefined && record.sentAs !== sentAs)
    return `it was written for the device "${record.sentAs}"`;
  if (record.closed === false && directory.closed) return 'its parser has closed it since';
  return undefined;
}

/** Whether all of `directory` is at `store`, as far as its marker is to be believed. */
export function isSealed(
  directory: DataDirectory,
  store: string | undefined,
  sentAs: string | undefined,
): boolean {
  return directory.seal !== undefined && sealFault(directory, store, sentAs) === undefined;
}

/** Whether something has come into a directory, gone from it or been renamed in it since its marker was written. */
export function changedSinceSeal({ mtimeMs, seal }: Pick<DataDirectory, 'mtimeMs' | 'seal'>): boolean {
  return seal !== undefined && Math.abs(mtimeMs - seal.mtimeMs) > SAME_TIME_MS;
}

/** Returns the directory's state; see the table in ARCHITECTURE.md. */
export function stateOf(
  directory: DataDirectory,
  options: { readonly newest: boolean; readonly store: string | undefined; readonly sentAs?: string },
): DirectoryState {
  if (isSealed(directory, options.store, options.sentAs)) return 'finished';
  if (directory.closed) return 'closed';
  return options.newest ? 'active' : 'unclosed';
}

/** A file system that knows none says 0. */
function isSameBirth(recordedMs: number, nowMs: number): boolean {
  return recordedMs > 0 && Math.abs(recordedMs - nowMs) < 1;
}

/** A seal is written down in whole ms. */
const SEAL_TICK_MS = 1;

/** Whether a file has come, or changed in any way, after the directory was sealed; also where the seal does not say when that was. */
export function isNewerThanSeal({ identity }: ListedFile, { seal }: DataDirectory): boolean {
  const sealedMs = seal?.record === undefined ? -Infinity : Date.parse(seal.record.finished);
  return Math.max(identity.ctimeMs, identity.mtimeMs) > sealedMs + SEAL_TICK_MS;
}
