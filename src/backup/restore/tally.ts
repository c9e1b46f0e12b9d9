import type { IsyncError } from '../../model/isync-error.ts';

/** Problems that are told one by one. */
const MAX_PROBLEMS = 100;

export interface RestoreProblem {
  readonly path: string;
  readonly error: IsyncError;
}

/** What a restore has come to, as it goes on. */
export class Tally {
  files = 0;
  directories = 0;
  symlinks = 0;
  /** Of the content of files that are whole. */
  bytes = 0;
  /** Of the content that has come so far, of what was damaged too. */
  fetched = 0;
  /** Files that had changed all the time when they were backed up. */
  torn = 0;
  /** Found to be there already. */
  resumed = 0;
  problems = 0;
  /** The first of them. */
  readonly firstProblems: RestoreProblem[] = [];

  problem(path: string, error: IsyncError): void {
    this.problems++;
    if (this.firstProblems.length < MAX_PROBLEMS) this.firstProblems.push({ path, error });
  }
}
