import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync, type Stats } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { FileIdentity } from '../model/file-identity.ts';

/** Other work gets its turn after this long, in ms: a process may have thousands of descriptors, of some 10 µs each. */
const SLICE_MS = 4;
/** A descriptor in /proc is a link that its owner may write to where the descriptor may (proc_pid_fd(5)). */
const OWNER_MAY_WRITE = 0o200;

/** The files that some process had open, or mapped, while all were looked at. */
export interface OpenFiles {
  has(file: Pick<FileIdentity, 'dev' | 'ino'>): boolean;
  /** Whether a process works in the folder at an absolute path, or below it. Of open writers always false. */
  hasWorkerIn(path: string): boolean;
}

/**
 * The files that some process has open for writing, or mapped to be written to. Looks at all processes. Those that this one may
 * not look into (of other users) are left out, as are all where there is no /proc. Never rejects.
 */
export function openWriters(): Promise<OpenFiles> {
  return writers.next();
}

/** The same of all that is open or mapped, also to be read only, and of folders. */
export function openFiles(): Promise<OpenFiles> {
  return all.next();
}

/** Which of the open files count. */
type Which = 'written' | 'any';

/**
 * Callers share a walk that begins after each of them has asked. One that is under way counts for nobody who asks now: a file
 * may have been opened by a process that it has passed.
 */
class Walks {
  readonly #which: Which;
  #walking: Promise<OpenFiles> | undefined;
  #next: Promise<OpenFiles> | undefined;

  constructor(which: Which) {
    this.#which = which;
  }

  next(): Promise<OpenFiles> {
    this.#next ??= after(this.#walking).then(() => {
      this.#next = undefined;
      this.#walking = walk(this.#which);
      return this.#walking;
    });
    return this.#next;
  }
}

const writers = new Walks('written');
const all = new Walks('any');

async function after(walk: Promise<unknown> | undefined): Promise<void> {
  await walk;
}

async function walk(which: Which): Promise<OpenFiles> {
  const found = new Found(which);
  let sliceEnd = performance.now() + SLICE_MS;
  const breathe = async (): Promise<void> => {
    await setImmediate();
    sliceEnd = performance.now() + SLICE_MS;
  };
  for (const pid of list('/proc').filter(isNumber)) {
    for (const descriptor of list(`/proc/${pid}/fd`)) {
      found.addDescriptor(pid, descriptor);
      if (performance.now() > sliceEnd) await breathe();
    }
    found.addMaps(text(`/proc/${pid}/maps`));
    found.addWorker(pid);
    if (performance.now() > sliceEnd) await breathe();
  }
  return found;
}

/**
 * What may be open is looked at only when somebody asks about a file of that inode number: stat(2) of a descriptor on a dead
 * network mount does not return, and of pipes and sockets there are many.
 */
class Found implements OpenFiles {
  readonly #which: Which;
  /** Paths in /proc by inode number. */
  readonly #descriptors = new Map<number, string[]>();
  /**
   * Numbers of files, by that of their device, where only stat(2) tells them: kernels before 5.14, and processes whose fdinfo
   * may not be read.
   */
  readonly #open = new Map<number, Set<number>>();
  /** Maps that hold a file that counts, of one process each. */
  readonly #maps: string[] = [];
  readonly #mapped = new Map<number, ReadonlySet<number>>();

  /** Working directories, as paths. */
  readonly #workers = new Set<string>();

  constructor(which: Which) {
    this.#which = which;
  }

  addWorker(pid: string): void {
    if (this.#which !== 'any') return;
    try {
      this.#workers.add(readlinkSync(`/proc/${pid}/cwd`));
    } catch {
      // It has ended, or is another user's.
    }
  }

  hasWorkerIn(path: string): boolean {
    return [...this.#workers].some((at) => at === path || at.startsWith(`${path}/`));
  }

  addDescriptor(pid: string, descriptor: string): void {
    const link = `/proc/${pid}/fd/${descriptor}`;
    const about = text(`/proc/${pid}/fdinfo/${descriptor}`);
    const flags = FLAGS.exec(about)?.[1];
    const any = this.#which === 'any';
    if (!any && flags !== undefined && (Number.parseInt(flags, 8) & ACCESS_MODE) === 0) return;
    if (isNoFile(link)) return;
    const inode = INODE.exec(about)?.[1];
    if (inode === undefined) this.#look(link, any || flags !== undefined);
    else this.#descriptors.set(Number(inode), [...(this.#descriptors.get(Number(inode)) ?? []), link]);
  }

  addMaps(maps: string): void {
    const lines = [...maps.matchAll(MAPPED[this.#which])].map(([line]) => line);
    if (lines.length > 0) this.#maps.push(lines.join('\n'));
  }

  has({ dev, ino }: Pick<FileIdentity, 'dev' | 'ino'>): boolean {
    if (nameOf(dev) === undefined) this.#lookAtAll();
    if (this.#mappedOn(dev).has(ino) || this.#open.get(dev)?.has(ino) === true) return true;
    const links = this.#descriptors.get(ino);
    if (links === undefined) return false;
    // A descriptor that was closed since may be another file's by now; then nobody says that this one was not open.
    return links.some((link) => {
      const stats = statsOf(link);
      return stats === undefined || stats.ino !== ino || (stats.dev === dev && this.#counts(stats));
    });
  }

  /** Of a file on overlayfs, which is no hardware's, /proc may tell another number than stat(2). */
  #lookAtAll(): void {
    for (const links of this.#descriptors.values()) for (const link of links) this.#look(link, true);
    this.#descriptors.clear();
  }

  #counts(stats: Stats): boolean {
    return stats.isFile() || (this.#which === 'any' && stats.isDirectory());
  }

  #look(link: string, isWanted: boolean): void {
    try {
      if (!isWanted && (lstatSync(link).mode & OWNER_MAY_WRITE) === 0) return;
    } catch {
      return;
    }
    const stats = statsOf(link);
    if (stats === undefined || !this.#counts(stats)) return;
    const inodes = this.#open.get(stats.dev) ?? new Set();
    this.#open.set(stats.dev, inodes.add(stats.ino));
  }

  #mappedOn(device: number): ReadonlySet<number> {
    let inodes = this.#mapped.get(device);
    if (inodes === undefined) {
      inodes = new Set(this.#maps.flatMap((maps) => [...mapped(maps, device, this.#which)]));
      this.#mapped.set(device, inodes);
    }
    return inodes;
  }
}

/** `flags: 0100001`, as open(2) has them, in octal (proc_pid_fdinfo(5)). */
const FLAGS = /^flags:\s*([0-7]+)$/m;
/** Since Linux 5.14. */
const INODE = /^ino:\s*(\d+)$/m;
/** O_ACCMODE; 0 is O_RDONLY. */
const ACCESS_MODE = 3;

/**
 * Inode numbers of what a process has mapped on `device`, to be written to or at all; `maps` is as proc_pid_maps(5) has it. Where the
 * device is none of hardware (btrfs, overlayfs, NFS), stat(2) and the map may call it differently, so there the inode number
 * alone counts: one that means another file only costs a wait.
 */
export function* mapped(maps: string, device: number, which: Which): Generator<number> {
  const name = nameOf(device);
  for (const [, on, inode] of maps.matchAll(MAPPED[which]))
    if (name === undefined || name === on) yield Number(inode);
}

/** `7f…-7f… rw-s 00000000 fe:00 12345 /path` */
const MAPPED: Readonly<Record<Which, RegExp>> = {
  written: /^[0-9a-f]+-[0-9a-f]+ .w.s [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9][0-9]*) /gm,
  any: /^[0-9a-f]+-[0-9a-f]+ .... [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) ([1-9][0-9]*) /gm,
};

/** `fe:00`, from st_dev as makedev(3) makes it; undefined for major number 0, which is no hardware's. */
function nameOf(device: number): string | undefined {
  const bits = BigInt(device);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & ~0xfffn);
  const minor = (bits & 0xffn) | ((bits >> 12n) & 0xffffff00n);
  if (major === 0n) return undefined;
  return `${major.toString(16).padStart(2, '0')}:${minor.toString(16).padStart(2, '0')}`;
}

/**
 * Whether a descriptor is that of a pipe, a socket or the like, as its link tells (`socket:[1234]`): their small inode numbers are
 * those of the first files of a disk. What was closed meanwhile may have been anything.
 */
function isNoFile(link: string): boolean {
  try {
    return !readlinkSync(link).startsWith('/');
  } catch {
    return false;
  }
}

/** Of the open file; undefined where it has been closed meanwhile, or can't be looked at. */
function statsOf(link: string) {
  try {
    return statSync(link);
  } catch {
    return undefined;
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
