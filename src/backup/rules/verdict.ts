/** What the rule needs to know of a backup. Only what has a manifest is one. */
export interface JudgedBackup {
  readonly name: string;
  readonly version: number;
  /** The time that it is of, in ms since the epoch. It decides days and weeks, never the order. */
  readonly startedMs: number;
  /** Versions of the archives that it needs, its own with them. */
  readonly needs: readonly number[];
  readonly isMarked: boolean;
  /** Its archive, list or one that it needs is missing or damaged: it counts for nothing. */
  readonly isDamaged: boolean;
}

/** Why a backup is kept. */
export type KeepReason =
  | 'last'
  | 'hourly'
  | 'daily'
  | 'weekly'
  | 'monthly'
  | 'yearly'
  | 'days'
  /** The oldest, while a rule has counts left. */
  | 'oldest'
  | 'min'
  | 'mark'
  /** There is no rule. */
  | 'no rule'
  /** A backup that is kept needs its archive. */
  | 'needed';

export interface Verdict {
  readonly backup: JudgedBackup;
  /** Empty: it is to be removed. */
  readonly reasons: readonly KeepReason[];
  /** Of `needed`: the versions that need it. */
  readonly neededBy: readonly number[];
}
