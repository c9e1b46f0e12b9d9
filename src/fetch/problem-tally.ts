import type { IsyncError } from '../model/isync-error.ts';
import { type Problem, problemOf } from '../model/problem.ts';

/** Problems that are kept for the summary: some megabytes of it at most. All are counted. */
const MAX_PROBLEMS_KEPT = 10_000;

/** What is wrong with single files and folders. */
export class ProblemTally {
  problemCount = 0;
  readonly problems: Problem[] = [];

  problem(path: string, error: IsyncError): void {
    this.problemCount++;
    if (this.problems.length < MAX_PROBLEMS_KEPT) this.problems.push(problemOf(error, path));
  }
}
