import type { IsyncError } from '../../model/isync-error.ts';

/** What a prune has done in one store, or would do. */
export interface Pruned {
  /** Name of the target. */
  readonly target: string;
  /** Why nothing was removed: see pruneBars. Empty where nothing stood in the way. */
  readonly bars: readonly string[];
  /** The newest first. */
  readonly backups: readonly PrunedBackup[];
  /** Objects that no manifest names, and uploads: what goes of them, and what stays for now. */
  readonly litter: readonly PrunedLitter[];
  /** The store refuses to remove something for want of a right: nothing was tried after it. */
  readonly denied: IsyncError | undefined;
}

export type Fate =
  | 'kept'
  | 'removed'
  /** The store locks it: it stays until then, with all that it needs. */
  | 'locked'
  /** To be removed, and still there: a dry run, a bar, or no right to. */
  | 'due';

export interface PrunedBackup {
  readonly name: string;
  readonly version: number;
  readonly startedMs: number;
  /** Of its archive and list. */
  readonly bytes: number;
  readonly fate: Fate;
  /** For people: `last, daily`, `no rule keeps it`. */
  readonly why: string;
}

export interface PrunedLitter {
  readonly kind: 'object' | 'upload';
  readonly key: string;
  readonly fate: Fate;
  /** For people: `no backup needs it`. */
  readonly why: string;
}
