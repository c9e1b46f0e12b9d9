import type { Problem } from '../../model/problem.ts';
import type { DirectoryState } from '../../scanner/data-directory.ts';
import type { BacklogMeter } from './backlog-meter.ts';
import type { Directories } from './directories.ts';
import type { ScanTally } from './scan-tally.ts';
import type { Waiting } from './waiting-files.ts';

export interface DirectoryView {
  readonly name: string;
  readonly state: DirectoryState;
  readonly waiting: Waiting;
  readonly problems: number;
  /** When something in it was written last, as far as is known, in ms since 1970; 0 where nothing is. */
  readonly lastWriteMs: number;
}

/** Problems of one code. */
export interface ProblemGroup {
  readonly first: Problem;
  readonly count: number;
}

/** What can be seen of a scan while it runs. Nothing is reckoned before somebody asks. */
export class ScanView {
  readonly #directories: Directories;
  readonly #tally: ScanTally;
  readonly #meter: BacklogMeter;

  constructor(directories: Directories, tally: ScanTally, meter: BacklogMeter) {
    this.#directories = directories;
    this.#tally = tally;
    this.#meter = meter;
  }

  get files(): number {
    return this.#tally.files;
  }

  get bytes(): number {
    return this.#tally.bytes;
  }

  /** Data directories that are sealed. */
  get sealed(): number {
    return this.#directories.sealed;
  }

  /** Of all directories together. */
  get waiting(): Waiting {
    return this.#meter.waiting;
  }

  get problemCount(): number {
    return this.#tally.problemCount;
  }

  /** By code, of those that are kept word for word. */
  get problems(): ReadonlyMap<string, ProblemGroup> {
    return this.#tally.problemGroups();
  }

  /** Those that are not sealed, the oldest first. */
  get unsealed(): DirectoryView[] {
    const views: DirectoryView[] = [];
    for (const run of this.#directories.runs())
      views.push({
        name: run.name,
        state: run.state,
        waiting: this.#meter.waitingIn(run),
        problems: this.#tally.problemsOf(run.name),
        lastWriteMs: run.lastWriteMs,
      });
    return views;
  }

  /** The directory that the parser fills; undefined where there is none. */
  get active(): DirectoryView | undefined {
    return this.unsealed.find(({ state }) => state === 'active');
  }

  /** Some of the files that are on their way, `most` at most. */
  inFlight(most: number): { readonly path: string; readonly size: number }[] {
    const files: { readonly path: string; readonly size: number }[] = [];
    for (const run of this.#directories.runs())
      for (const file of run.inFlight()) {
        if (files.length >= most) return files;
        files.push(file);
      }
    return files;
  }
}
