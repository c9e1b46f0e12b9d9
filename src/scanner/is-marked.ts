import type { Stats } from 'node:fs';

/** The mark: the group-write bit. */
export const MARK_BIT = 0o020;

/**
 * The mark is there and believable: the last change of the inode (ctime) came after the last write (mtime), as it
 * does when a chmod is the last thing that happened to a file. So a file that was written after it was marked is
 * unmarked, and so is one that a parser with umask 002 wrote and left alone.
 *
 * It can't tell our chmod from any other later change of the inode: a file with g+w that was copied with `cp -p`,
 * renamed, linked or chowned after its last write counts as marked. One whose mtime lies in the future never does.
 */
export function isMarked(stats: Pick<Stats, 'mode' | 'mtimeMs' | 'ctimeMs'>): boolean {
  return (stats.mode & MARK_BIT) !== 0 && stats.mtimeMs < stats.ctimeMs;
}
