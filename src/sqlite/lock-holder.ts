import { readFileSync, statSync } from 'node:fs';

/**
 * The process that holds a lock of the file at `path`, as the kernel tells it; undefined where it does not: no Linux, another
 * container. Never throws.
 */
export function lockHolder(path: string): number | undefined {
  try {
    const { ino } = statSync(path);
    // "1: POSIX  ADVISORY  WRITE 1234 fd:00:5678 1073741825 1073742335": proc_locks(5).
    for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
      const [, pid, inode] = /\bWRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line) ?? [];
      if (Number(inode) === ino && pid !== undefined && pid !== '0') return Number(pid);
    }
  } catch {
    // Only the message says less.
  }
  return undefined;
}
