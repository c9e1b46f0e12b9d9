import { Admission } from '../../flow/admission.ts';
import type { Target } from '../target.ts';

/** Live files that are unconfirmed at a time, beside those of the backlog. */
const MAX_LIVE_IN_FLIGHT = 1024;
/** Directories listed, sent and sealed at a time: hides the round trip of a seal behind the files of the next ones. */
const MAX_DIRECTORIES_AT_ONCE = 32;
/**
 * Directories of which the target is asked at a time what it has: hides the round trip of small ones. The answer for a million
 * files takes 200 MB, and all directories are asked about after a restart.
 */
const MAX_QUESTIONS_AT_ONCE = 4;

/** What is bounded over all directories of a scan. Older directories have lower ranks, and go first. */
export interface ScanLimits {
  readonly backlog: Admission;
  /** Apart, so that live files never wait behind the backlog. */
  readonly live: Admission;
  /** Directories that are being listed, sent or sealed. */
  readonly directories: Admission;
  /** Directories of the backlog that are being listed: one, so that the oldest one's files all go first. */
  readonly listings: Admission;
  /** Questions to the target about all that it has of a directory. */
  readonly questions: Admission;
}

export function createScanLimits({ traits }: Target): ScanLimits {
  return {
    backlog: new Admission(traits.filesInFlight),
    live: new Admission(MAX_LIVE_IN_FLIGHT),
    directories: new Admission(MAX_DIRECTORIES_AT_ONCE),
    listings: new Admission(1),
    questions: new Admission(MAX_QUESTIONS_AT_ONCE),
  };
}
