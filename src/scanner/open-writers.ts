import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Other work gets its turn after this long, in ms: a process may have thousands of descriptors, of some 10 µs each. */
const SLICE_MS = 4;
/** A descriptor in /proc is a link that its owner may write to where the descriptor may (proc_pid_fd(5)). */
const OWNER_MAY_WRITE = 0o200;

/**
 * Returns the inode numbers of the regular files on the file system `device` (as stat(2) has it) that some process has open for
 * writing, or mapped to be written to. Processes that this one may not look into (those of other users) are left out, as
 * are all where there is no /proc. Never rejects.
 */
export async function inodesOpenForWriting(device: number): Promise<ReadonlySet<number>> {
  const inodes = new Set<number>();
  let sliceEnd = performance.now() + SLICE_MS;
  const breathe = async (): Promise<void> => {
    await setImmediate();
    sliceEnd = performance.now() + SLICE_MS;
  };
  for (const pid of list('/proc').filter(isNumber)) {
    for (const descriptor of list(`/proc/${pid}/fd`)) {
      addDescriptor(`/proc/${pid}/fd/${descriptor}`, device, inodes);
      if (performance.now() > sliceEnd) await breathe();
    }
    for (const inode of mappedForWriting(text(`/proc/${pid}/maps`), device)) inodes.add(inode);
    if (performance.now() > sliceEnd) await breathe();
  }
  return inodes;
}

/**
 * Inode numbers of what a process has mapped to be written to on `device`; `maps` is as proc_pid_maps(5) has it. Where the
 * device is none of hardware (btrfs, overlayfs, NFS), stat(2) and the map may call it differently, so there the inode number
 * alone counts: one that means another file only costs a wait.
 */
export function* mappedForWriting(maps: string, device: number): Generator<number> {
  const name = nameOf(device);
  for (const [, on, inode] of maps.matchAll(MAPPED_FOR_WRITING))
    if (name === undefined || name === on) yield Number(inode);
}

/** `7f…-7f… rw-s 00000000 fe:00 12345 /path` */
const MAPPED_FOR_WRITING = /^[0-9a-f]+-[0-9a-f]+ .w.s [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9][0-9]*) /gm;

/** `fe:00`, from st_dev as makedev(3) makes it; undefined for major number 0, which is no hardware's. */
function nameOf(device: number): string | undefined {
  const bits = BigInt(device);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & 0xffffff00n);
  if (major === 0n) return undefined;
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
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
