import { LRUCache } from 'lru-cache';
import type { Problem } from '../../model/problem.ts';
import type { DirectoryState } from '../../scanner/data-directory.ts';
import type { ScanObserver, ScanSummary } from './scan-options.ts';

/** Problems kept word for word at a time; more are only counted. 10,000 of about 300 bytes are 3 MB. */
export const MAX_PROBLEMS_KEPT = 10_000;
/** Directories told in the summary; a daemon that runs for years seals more than anyone reads. */
const MAX_DIRECTORIES_KEPT = 100_000;

/** Problems remembered as told; of more the oldest may be told again. 200 bytes each. */
const MAX_TOLD = 10_000;

interface DirectoryLine {
  state: DirectoryState;
  sealed: boolean;
  ignored: number;
}

/** Counts what a scan does. Problems belong to a place (a directory) and are what its last listing found. */
export class ScanTally {
  files = 0;
  bytes = 0;
  skippedMarked = 0;
  foundByReconcile = 0;
  /** As the last listing of the root found them. */
  looseFiles = 0;
  readonly #observer: ScanObserver;
  /** When the scan began, in ms since the epoch. */
  readonly startedMs = Date.now();
  readonly #beganMs = performance.now();
  readonly #directories = new Map<string, DirectoryLine>();
  readonly #problems = new Map<string, Map<string, Problem>>();
  readonly #overflow = new Map<string, number>();
  readonly #told = new LRUCache<string, true>({ max: MAX_TOLD });
  #kept = 0;
  #unmarkable = 0;

  constructor(observer: ScanObserver) {
    this.#observer = observer;
  }

  transferred(path: string, bytes: number): void {
    this.files++;
    this.bytes += bytes;
    this.#observer.transferred(path, bytes);
  }

  /** Whether files have been found that can't be marked, and none that was. */
  get marksNothing(): boolean {
    return this.files === 0 && this.skippedMarked === 0 && this.#unmarkable > 0;
  }

  /** A file is durable and can't be marked. Returns how many there were. */
  unmarkable(): number {
    return ++this.#unmarkable;
  }

  problem(place: string, problem: Problem): void {
    const known = this.#problems.get(place) ?? new Map<string, Problem>();
    this.#problems.set(place, known);
    if (!known.has(problem.path)) {
      if (this.#kept >= MAX_PROBLEMS_KEPT) {
        this.#overflow.set(place, (this.#overflow.get(place) ?? 0) + 1);
        return;
      }
      this.#kept++;
    }
    known.set(problem.path, problem);
    this.#tellOnce(problem);
  }

  /** Problems of `place` that stand now. */
  problemsOf(place: string): number {
    return (this.#problems.get(place)?.size ?? 0) + (this.#overflow.get(place) ?? 0);
  }

  /** All that stand now. */
  get problemCount(): number {
    let count = this.#kept;
    for (const more of this.#overflow.values()) count += more;
    return count;
  }

  /** Of those kept word for word: how many each code has, and one of them. */
  problemGroups(): Map<string, { readonly first: Problem; readonly count: number }> {
    const groups = new Map<string, { first: Problem; count: number }>();
    for (const known of this.#problems.values())
      for (const problem of known.values()) {
        const group = groups.get(problem.code);
        if (group === undefined) groups.set(problem.code, { first: problem, count: 1 });
        else group.count++;
      }
    return groups;
  }

  /** Before `place` is looked at again, or when it is gone: what was wrong with it is no longer known. */
  forgetProblems(place: string): void {
    this.#kept -= this.#problems.get(place)?.size ?? 0;
    this.#problems.delete(place);
    this.#overflow.delete(place);
  }

  directory(name: string, state: DirectoryState, sealed: boolean): void {
    const line = this.#directories.get(name);
    if (line !== undefined && line.state === state && line.sealed === sealed) return;
    if (line !== undefined || this.#directories.size < MAX_DIRECTORIES_KEPT)
      this.#directories.set(name, { state, sealed, ignored: line?.ignored ?? 0 });
    this.#observer.directory(name, state, sealed);
  }

  ignored(name: string, count: number): void {
    const line = this.#directories.get(name);
    if (line !== undefined) line.ignored = count;
  }

  summary(): ScanSummary {
    const problems = [...this.#problems.values()].flatMap((known) => [...known.values()]);
    const overflow = [...this.#overflow.values()].reduce((sum, count) => sum + count, 0);
    const lines = [...this.#directories];
    return {
      files: this.files,
      bytes: this.bytes,
      skippedMarked: this.skippedMarked,
      problems,
      problemCount: problems.length + overflow,
      ignored: lines.reduce((sum, [, line]) => sum + line.ignored, 0),
      looseFiles: this.looseFiles,
      foundByReconcile: this.foundByReconcile,
      directories: lines.map(([name, { state, sealed }]) => ({ name, state, sealed })),
      seconds: (performance.now() - this.#beganMs) / 1000,
    };
  }

  #tellOnce(problem: Problem): void {
    const key = `${problem.code} ${problem.path}`;
    if (this.#told.get(key) === true) return;
    this.#told.set(key, true);
    this.#observer.problem(problem);
  }
}
