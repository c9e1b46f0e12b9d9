import { ProblemTally } from './problem-tally.ts';

/** What bringing files back has come to, as it goes on. */
export class FetchTally extends ProblemTally {
  /** Files that were asked for, as far as they have been listed. */
  wanted = 0;
  /** Files that were brought, and their bytes. */
  files = 0;
  bytes = 0;
  /** Files that were here already. */
  there = 0;
  /** Bytes that have come so far, also of files that are not whole. */
  moved = 0;
}
