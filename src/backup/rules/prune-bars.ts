/** Most that our clock and that of a store may differ when something is removed, in ms. */
export const MAX_CLOCK_AHEAD_MS = 15 * 60_000;

export interface PruneFacts {
  /** How the run ended that is pruned after; undefined: a person has asked for it. */
  readonly run: 'complete' | 'incomplete' | undefined;
  /** The newest verification of some kept backup failed, and none of a newer backup has passed since. */
  readonly isVerificationFailing: boolean;
  /** Some backup has half of the files or bytes of the one before, and no person has agreed with that. */
  readonly isShrunk: boolean;
  /** Manifests that can't be read: what their backups need is unknown. */
  readonly unreadable: number;
  /** How far our clock is ahead of the store's, in ms; undefined where the store has none of its own. */
  readonly clockAheadMs: number | undefined;
}

/** Why nothing may be removed from a store now; empty: what the rule says may go. Each goes on from "nothing is removed: ". */
export function pruneBars(facts: PruneFacts): readonly string[] {
  const { run, isVerificationFailing, isShrunk, unreadable, clockAheadMs } = facts;
  const bars: string[] = [];
  if (run === 'incomplete') bars.push('the run is not complete');
  if (isVerificationFailing)
    bars.push(
      'a verification has failed, and no newer backup has passed one that looks as deep ("isync backup verify --deep")',
    );
  if (unreadable > 0)
    bars.push(
      `${unreadable === 1 ? 'a manifest' : `${unreadable} manifests`} can't be read, and may need what would go`,
    );
  if (isShrunk)
    bars.push(
      'a backup is half of the one before or less; run "isync backup prune --agree" if that is right',
    );
  if (clockAheadMs !== undefined && Math.abs(clockAheadMs) > MAX_CLOCK_AHEAD_MS)
    bars.push(
      `our clock is ${Math.round(Math.abs(clockAheadMs) / 60_000)} minutes ${clockAheadMs > 0 ? 'ahead of' : 'behind'} the store's`,
    );
  return bars;
}
