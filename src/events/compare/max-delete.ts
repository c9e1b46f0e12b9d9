import type { MaxDelete } from '../../config/pull-values.ts';
import { IsyncError } from '../../model/isync-error.ts';

/** Removals that are kept until everything has been compared, at most 1 KiB each; more are found by another walk. */
export const MOST_GONE = 20_000;

/** How many of `known` keys may go. */
export function mostOf(maxDelete: MaxDelete, known: number): number {
  return 'files' in maxDelete ? maxDelete.files : Math.floor((known * maxDelete.percent) / 100);
}

export function tooMuch(gone: number, most: number): IsyncError {
  const message = `the bucket lacks ${gone} known keys, and at most ${most} may be removed at a time`;
  return new IsyncError('RESYNC_STOPPED', message, {
    hint: 'Look whether the bucket is the right one, and whole. If so, allow more with "maxDelete", once.',
  });
}
