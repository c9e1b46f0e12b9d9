import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { FileRecord, RegularRecord } from '../list/file-record.ts';
import { type BackupCounts, type BackupProblem, MAX_PROBLEMS, NO_COUNTS } from '../manifest/manifest.ts';
import type { PackProgress } from './pack.ts';

/** Between two that are told, in ms. */
const PROGRESS_EVERY_MS = 500;

type Counts = { -readonly [Name in keyof BackupCounts]: BackupCounts[Name] };

export interface TallyOptions {
  readonly version: number;
  /** Whether paths may stand in a manifest. */
  readonly tellsPaths: boolean;
  readonly log: Log;
  readonly onProgress: ((progress: PackProgress) => void) | undefined;
}

/** What a backup comes to: members, what is left out, problems, and the archives that it needs. */
export class Tally {
  readonly needs: Set<number>;
  readonly #problems: BackupProblem[] = [];
  readonly #options: TallyOptions;
  readonly #counts: Counts = { ...NO_COUNTS };
  #toldMs = performance.now();

  constructor(options: TallyOptions) {
    this.#options = options;
    this.needs = new Set([options.version]);
  }

  get counts(): BackupCounts {
    return this.#counts;
  }

  /** The first {@link MAX_PROBLEMS}. */
  get problems(): readonly BackupProblem[] {
    return this.#problems;
  }

  member(record: FileRecord): void {
    switch (record.type) {
      case 'directory':
        this.#counts.directories++;
        break;
      case 'symlink':
        this.#counts.symlinks++;
        break;
      case 'file':
        this.#file(record);
    }
    this.reading(0);
  }

  leftOut(kind: 'special' | 'own' | 'excluded'): void {
    this.#counts[kind]++;
  }

  problem(error: IsyncError, path: string): void {
    this.#counts.problems++;
    if (this.#problems.length === MAX_PROBLEMS) return;
    const { code, message } = error;
    this.#problems.push({ ...(this.#options.tellsPaths && { path }), code, message });
    this.#options.log.warn('a member of the backup is not as it should be', { path, err: error });
    if (this.#problems.length === MAX_PROBLEMS)
      this.#options.log.warn('of further problems only the number is told', { first: MAX_PROBLEMS });
  }

  /** @param bytes of a file that is being packed, so far */
  reading(bytes: number): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const now = performance.now();
    if (now - this.#toldMs < PROGRESS_EVERY_MS) return;
    this.#toldMs = now;
    onProgress({ files: this.#counts.files, bytes: this.#counts.bytes + bytes });
  }

  #file({ size, stored, linkTo, isTorn }: RegularRecord): void {
    this.#counts.files++;
    // The bytes of a file count once, whatever names it has.
    if (linkTo === undefined) this.#counts.bytes += size;
    this.needs.add(stored.archive);
    if (isTorn === true) this.#counts.torn++;
    if (stored.archive !== this.#options.version || linkTo !== undefined) return;
    this.#counts.storedFiles++;
    this.#counts.storedBytes += size;
  }
}
