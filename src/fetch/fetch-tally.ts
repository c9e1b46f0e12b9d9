import type { IsyncError } from '../model/isync-error.ts';
import { type Problem, problemOf } from '../model/problem.ts';

/** Problems that are kept for the summary: some megabytes of it at most. All are counted. */
const MAX_PROBLEMS_KEPT = 10_000;

/** What bringing files back has come to, as it goes on. */
export class FetchTally {
  /** Files that were asked for, as far as they have been listed. */
  wanted = 0;
  /** Files that were brought, and their bytes. */
  files = 0;
  bytes = 0;
  /** Files that were here already. */
  there = 0;
  /** Bytes that have come so far, also of files that are not whole. */
  moved = 0;
  problemCount = 0;
  readonly problems: Problem[] = [];

  problem(path: string, error: IsyncError): void {
    this.problemCount++;
    if (this.problems.length < MAX_PROBLEMS_KEPT) this.problems.push(problemOf(error, path));
  }
}
