/** Why a redrive policy and `unmatched: release` do not go together well. */
export const REDRIVE_HINT =
  'Messages for other machines, which are given back, go that way too: give each machine its own queue, or say "unmatched: discard".';
