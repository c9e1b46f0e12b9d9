import type { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { OwnMarks } from '../../scanner/own-marks.ts';
import type { KnownStore } from './known-store.ts';
import type { ScanLimits } from './scan-limits.ts';
import type { ScanOptions } from './scan-options.ts';
import type { ScanTally } from './scan-tally.ts';

/** What all directories of one scan share. */
export interface ScanContext {
  readonly options: ScanOptions;
  readonly ignore: IgnoreRule;
  readonly tally: ScanTally;
  /** For what is true of the machine, whatever the directory: each message goes to the log once. */
  readonly machineLog: Log;
  readonly limits: ScanLimits;
  readonly ownMarks: OwnMarks;
  readonly store: KnownStore;
  /** Fires when no new work may begin: the user asked, or the scan has failed. */
  readonly stopping: AbortSignal;
  /** Fires when what is still in flight is to be given up as well. */
  readonly cut: AbortSignal;
  /** Ends the whole scan with `error`; only the first counts. */
  fail(error: IsyncError): void;
}
