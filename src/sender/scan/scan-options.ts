import type { Log } from '../../model/log.ts';
import type { Problem } from '../../model/problem.ts';
import type { DirectoryState, NewestBy } from '../../scanner/data-directory.ts';
import type { IgnoreSetting } from '../../scanner/ignore-setting.ts';
import type { CompleteBy } from '../../watcher/watch-event.ts';
import type { ScanView } from './scan-view.ts';
import type { KeptOpen } from '../kept-open.ts';
import type { Target } from '../target.ts';

export interface ScanOptions {
  /** Absolute path of the folder to look after. */
  readonly root: string;
  /** The scan uses it and leaves closing it to its owner. */
  readonly target: Target;
  /** Do what there is to do, then end; else go on until the signal fires. */
  readonly once: boolean;
  /** Only data directories whose name begins so. */
  readonly tag: string;
  readonly complete: CompleteBy;
  readonly settleMs: number;
  readonly quietMs: number;
  readonly newest: NewestBy;
  /** Unsealed directories watched at a time, newest first; those beyond are listed in turns. */
  readonly maxWatched: number;
  /** Look by itself into sealed directories that have grown. */
  readonly reopen: boolean;
  /** `verify`: marked files that the target lacks are sent before the seal; `trust`: they are problems. */
  readonly marks: 'trust' | 'verify';
  /** Files that are in progress and not to be touched. */
  readonly ignore: IgnoreSetting;
  /** First firing: finish what is in flight, then end. */
  readonly signal: AbortSignal;
  readonly observer: ScanObserver;
  /** For all scans of a process; default: no file stays open. */
  readonly keptOpen?: KeptOpen | undefined;
  /** Given what can be seen of the scan, before it begins. Must not throw. */
  readonly onView?: ((view: ScanView) => void) | undefined;
  /** How long (ms) an active directory may be without a write before it is looked into for one. Default: for ever. */
  readonly stuckAfterMs?: number | undefined;
  readonly log: Log;
}

/** Called as things happen; must not throw and must return at once. */
export interface ScanObserver {
  /** Content on its way, in bytes, as it leaves; what is sent again counts again. */
  sent(bytes: number): void;
  /** A file is durable at the target and marked. */
  transferred(path: string, bytes: number): void;
  /** The same problem of the same file is told once. */
  problem(problem: Problem): void;
  directory(name: string, state: DirectoryState, sealed: boolean): void;
  /** A directory is about to be sealed; `directory` tells when it is. It may come to nothing. */
  sealing?(name: string): void;
}

/** The `--json` summary of `isync scan`. */
export interface ScanSummary {
  readonly files: number;
  readonly bytes: number;
  readonly skippedMarked: number;
  readonly problems: readonly Problem[];
  /** Problems beyond MAX_PROBLEMS_KEPT are counted, not kept. */
  readonly problemCount: number;
  /** Files left alone because of an ignore pattern, in the last listing of each directory. */
  readonly ignored: number;
  /** Files in the root itself, in no data directory: not sent. */
  readonly looseFiles: number;
  readonly foundByReconcile: number;
  /** Every directory that was not finished at the start, by name. */
  readonly directories: readonly {
    readonly name: string;
    readonly state: DirectoryState;
    readonly sealed: boolean;
  }[];
  readonly seconds: number;
}
