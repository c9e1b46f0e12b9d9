import type { BigIntStats } from 'node:fs';
import type { FileRecord, RegularRecord, SeenAs } from '../list/file-record.ts';
import type { MemberPath } from '../list/member-path.ts';
import type { OwnerNames } from './owner-names.ts';

/**
 * A file that was written to this shortly before it was read, in ns, may be written to once more without getting another time: FAT counts in two
 * seconds, others in ticks of the kernel or whole seconds.
 */
const LONGEST_TICK_NS = 2_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** What a record says of any member. */
export function commonOf(
  path: MemberPath,
  { mode, uid, gid, mtimeNs }: BigIntStats,
  owners: OwnerNames,
): Pick<FileRecord, 'path' | 'mode' | 'uid' | 'gid' | 'user' | 'group' | 'mtimeNs'> {
  const ids = { uid: Number(uid), gid: Number(gid) };
  return { path, mode: Number(mode & 0o7777n), ...ids, ...owners.of(ids), mtimeNs };
}

/**
 * What the next backup compares; nothing where a later write could go unseen.
 * @param lookedMs before `stats` were taken
 */
export function seenAs({ dev, ino, ctimeNs }: BigIntStats, lookedMs: number): SeenAs | undefined {
  if (ctimeNs + LONGEST_TICK_NS > BigInt(Math.floor(lookedMs)) * NS_PER_MS) return undefined;
  return { device: dev, inode: ino, ctimeNs };
}

/** Whether the times say that a file is what it was. Not the device: that has another number after a reboot, or in a snapshot. */
export function isSameByTimes({ size, mtimeNs, seen }: RegularRecord, stats: BigIntStats): boolean {
  return BigInt(size) === stats.size && mtimeNs === stats.mtimeNs && seen?.inode === stats.ino;
}
