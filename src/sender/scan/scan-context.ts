import type { IsyncError } from '../../model/isync-error.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { Admission } from '../../flow/admission.ts';
import type { ScanOptions } from './scan-options.ts';
import type { ScanTally } from './scan-tally.ts';

/** What the parts of one scan share. */
export interface ScanContext {
  readonly options: ScanOptions;
  readonly ignore: IgnoreRule;
  readonly tally: ScanTally;
  /** When the scan began, in ms since the epoch. */
  readonly startedMs: number;
  /** The id of the store behind the target; undefined while it is not known. */
  store(): string | undefined;
  /** The target has said which store it is. */
  storeSeen(store: string | undefined): void;
  /** Puts of the backlog; ranks are those of their directories. */
  readonly backlog: Admission;
  /** Puts of live files, apart, so that they never wait behind the backlog. */
  readonly live: Admission;
  /** Directories that are being listed, sent or sealed. */
  readonly slots: Admission;
  /** Directories of the backlog that are being listed: one, so that the oldest one's files all go first. */
  readonly listings: Admission;
  /** Questions to the target about all that it has of a directory: each answer is held in memory. */
  readonly questions: Admission;
  /** Fires when no new work may begin: the user asked, or the scan has failed. */
  readonly stopping: AbortSignal;
  /** Fires when what is still in flight is to be given up as well. */
  readonly cut: AbortSignal;
  /** Unsealed directories that have no watch, because there are too many of them. */
  unwatched(): number;
  /** Looks at the root again, soon. */
  look(): void;
  /** Ends the whole scan with `error`; only the first counts. */
  fail(error: IsyncError): void;
}
