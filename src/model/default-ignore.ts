/**
 * Names of files in progress, which are left alone unless `--no-default-ignore` says otherwise: each is one that a writer
 * is known to rename when the file is done. A closed directory is sealed without the files that are left alone, so a name
 * that finished data could have would lose data without a word. That is why there is none here for
 * - rsync's `.NAME.XXXXXX` (`.*.??????` is also `.db.sqlite`): such a file is renamed before it counts as complete, and one
 *   that a killed rsync has left is an extra file at the target, which does no harm;
 * - `NAME~` and `4913` of editors, for the same reason;
 * - what browsers download, which is not what fills data directories.
 */
export const DEFAULT_IGNORE: readonly string[] = [
  '*.tmp',
  // wget, youtube-dl, many others.
  '*.part',
  // Not data that will be renamed, but nobody's: vim's copy of an edited file.
  '.*.swp',
];
