/**
 * A program that fills data directories, in rounds. Each round is a script for bash, with `set -eu`, umask 022, the functions
 * of {@link PRELUDE}, and these variables:
 *
 *     ROOT  the root      OUT  a folder outside of it, on the same file system, where the script starts
 *     DIR   the data directory at work      PREV  the one before, which is open still
 *     N     the round, from 0      SEED  a number of its own for each round
 */
export interface Producer {
  readonly name: string;
  /** Commands it needs, by name or path. */
  readonly tools: readonly string[];
  /** Run once, before the first round; N is 0. */
  readonly before?: string;
  readonly round: string;
  /** Options of the scan beside the defaults. */
  readonly scanArgs?: readonly string[];
  /** Nobody writes `finished.parse`. */
  readonly neverCloses?: boolean;
  /** `finished.watch` is copied or moved along, so that it says nothing before isync has looked into the directory again. */
  readonly copiesSeals?: boolean;
}

export const PRELUDE = `
set -eu
umask 022
RANDOM=$SEED
# Files of several sizes; some may be written by the group, some have old times, some both. No two rounds set the same time:
# what replaces a longer file and has its time looks damaged by a power cut (SOURCE_DAMAGED), and is not sealed.
fill() {
  mkdir -p "$1/sub"
  for i in 1 2 3; do head -c $(((RANDOM % 60) * 700)) /dev/urandom > "$1/f$N-$i"; done
  echo "round $N" > "$1/sub/g$N"
  chmod 664 "$1/f$N-1" "$1/sub/g$N"
  touch -d "2020-01-01 00:00:$((RANDOM % 60)) $N minutes" "$1/f$N-2" "$1/sub/g$N"
}
# The same in one folder that is begun anew now and then, beside a file that changes each time.
refill() {
  if [ $((N % 4)) -eq 0 ]; then rm -rf "$OUT/src"; fi
  fill "$OUT/src"
  echo "$N $RANDOM" >> "$OUT/src/changing"
  chmod 664 "$OUT/src/changing"
}
pause() { sleep "0.$((RANDOM % $1 + 100))"; }
`;
