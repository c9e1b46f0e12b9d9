/**
 * Names of files in progress, which a scan ignores unless `--no-default-ignore` is given. Writers are known to rename such
 * a file when it is done. A closed directory is sealed without its ignored files, so a pattern that finished data could
 * match would lose data silently. That is why there is none for
 * - rsync's `.NAME.XXXXXX` (`.*.??????` is also `.db.sqlite`): such a file is renamed before it counts as complete, and one
 *   that a killed rsync has left is an extra file at the target, which does no harm;
 * - `NAME~` and `4913` of editors, for the same reason;
 * - what browsers download, which is not what fills data directories.
 */
export const DEFAULT_IGNORE: readonly string[] = [
  '*.tmp',
  // wget, youtube-dl, many others.
  '*.part',
  // vim's copy of a file while it is edited: never renamed, and nobody's data.
  '.*.swp',
];
