import { IsyncError } from '../../model/isync-error.ts';

/** Rounds until an object that changes all the time is left for later. */
const MOST_ROUNDS = 10;

/** How a key is in its bucket: {@link sameState} tells whether that has changed. */
export type KeyState =
  | { readonly kind: 'there'; readonly etag: string; readonly versionId: string | undefined }
  | { readonly kind: 'gone' };

export interface LookTwiceOptions<State extends KeyState, Result> {
  /** Asks the bucket. `last` is what was acted on: it may be asked about with If-None-Match. */
  readonly look: (last: State | undefined) => Promise<State>;
  readonly act: (state: State) => Promise<Result>;
  /** Whether nothing has changed between two looks. Default: {@link sameState}. */
  readonly isSame?: ((before: State, after: State) => boolean) | undefined;
  /** Told of each further round. */
  readonly lookedAgain: () => void;
}

/**
 * Looks, acts, and looks again, until what was acted on is what the bucket has. Nothing is locked: whoever acts last has looked
 * after that, so the end is the bucket's state, however many workers there are and however long one of them stands still.
 * @throws IsyncError BUSY, retryable, where the object does not rest
 */
export async function lookTwice<State extends KeyState, Result>({
  look,
  act,
  isSame = sameState,
  lookedAgain,
}: LookTwiceOptions<State, Result>): Promise<Result> {
  let state = await look(undefined);
  for (let round = 1; ; round++) {
    const result = await act(state);
    const after = await look(state);
    if (isSame(state, after)) return result;
    if (round === MOST_ROUNDS)
      throw new IsyncError('BUSY', `the object has changed ${MOST_ROUNDS} times while it was worked on`, {
        retryable: true,
      });
    lookedAgain();
    state = after;
  }
}

function sameState(a: KeyState, b: KeyState): boolean {
  if (a.kind !== 'there' || b.kind !== 'there') return a.kind === b.kind;
  return a.etag === b.etag && a.versionId === b.versionId;
}
