import type { Fault } from './fault.ts';

/**
 * What becomes of some requests to a bucket: they are refused for being too many, fail, are done without anybody being
 * told, or are answered late.
 */
const TROUBLES = ['busy', 'failing', 'unanswered', 'slow'] as const;

export interface BucketTrouble {
  readonly kind: (typeof TROUBLES)[number];
  /** Of all requests. */
  readonly share: number;
}

/** Longest that an answer which is late keeps its asker waiting, in ms. */
export const LATE_MS = 1500;

export const BUCKET_FAULTS: readonly Fault[] = TROUBLES.map((kind) => ({
  name: `bucket-${kind}`,
  needs: { bucket: 'any' },
  async strike({ trouble, random, pause }) {
    if (trouble === undefined) return;
    for (let times = random.int(1, 3); times > 0; times--) {
      await trouble({ kind, share: random.pick([0.1, 0.5, 1]) });
      await pause(random.int(200, 1500));
      await trouble(undefined);
      await pause(random.int(50, 500));
    }
  },
}));
