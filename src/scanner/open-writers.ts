import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Other work gets its turn after so many processes: each takes about 0.1 ms. */
const PROCESSES_PER_TURN = 32;
/** A descriptor in /proc is a link that its owner may write to where the descriptor may (proc_pid_fd(5)). */
const OWNER_MAY_WRITE = 0o200;

/**
 * Inode numbers of the regular files on the file system `device` (as stat(2) has it) that some process has open for
 * writing, or mapped to be written to. Processes that this one may not look into (those of other users) are left out, as
 * are all where there is no /proc. Never rejects.
 */
export async function inodesOpenForWriting(device: number): Promise<ReadonlySet<number>> {
  const inodes = new Set<number>();
  for (const [index, pid] of list('/proc').filter(isNumber).entries()) {
    if (index % PROCESSES_PER_TURN === PROCESSES_PER_TURN - 1) await setImmediate();
    for (const descriptor of list(`/proc/${pid}/fd`))
      addDescriptor(`/proc/${pid}/fd/${descriptor}`, device, inodes);
    addMapped(`/proc/${pid}/maps`, inodes);
  }
  return inodes;
}

function addDescriptor(path: string, device: number, inodes: Set<number>): void {
  try {
    if ((lstatSync(path).mode & OWNER_MAY_WRITE) === 0) return;
    const stats = statSync(path);
    if (stats.isFile() && stats.dev === device) inodes.add(stats.ino);
  } catch {
    // Closed meanwhile, or nothing that can be looked at.
  }
}

/** By inode number alone: the device is another one there on btrfs. A number that means another file only costs a wait. */
function addMapped(path: string, inodes: Set<number>): void {
  for (const [, inode] of text(path).matchAll(MAPPED_FOR_WRITING)) inodes.add(Number(inode));
}

/** `7f…-7f… rw-s 00000000 fe:00 12345 /path`: proc_pid_maps(5). */
const MAPPED_FOR_WRITING = /^[0-9a-f]+-[0-9a-f]+ .w.s [0-9a-f]+ [0-9a-f:]+ ([1-9][0-9]*) /gm;

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // Ended, or another user's.
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The same.
    return '';
  }
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}
