import { spawn, type ChildProcess } from 'node:child_process';
import { statfsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import type { FileIdentity } from '../model/file-identity.ts';
import { tickOf } from '../scanner/clock-tick.ts';

/** Under way at a time in this process: the disk does one after another, and each is a process. */
const MAX_SYNCS = 4;
/** Before Linux 5.8 syncfs(2) says nothing of content that could not be written. */
const FIRST_KERNEL = { major: 5, minor: 8 };
/** `f_type` of statfs(2): file systems whose syncfs(2) ends when the content of every file is on the disk. */
const SYNCED_WHOLE: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0xf2f52010, // F2FS
]);
/** Lives in memory: fdatasync(2) does nothing there, and a power cut takes the marks with the files. */
const TMPFS = 0x01021994;

/**
 * Devices (st_dev) that are not synced as a whole any more. What could not be written is told to one syncfs(2) only, so that
 * the next one that succeeds says nothing of the file that it befell.
 */
const failed = new Set<number>();
let running = 0;

/**
 * One syncfs(2) of the file system that holds a directory, by sync(1), in the background: one flush of the disk instead of one a
 * file. A file that was looked at **before** it began, and is the same at a guarded read after it has ended, is as durable as
 * fdatasync(2) makes it, and a later store through a memory map changes its times. Disposing ends it.
 */
export class DirectorySync implements Disposable {
  readonly #device: number;
  readonly #child: ChildProcess | undefined;
  readonly #startedMs: number;
  #running = false;
  #done = false;

  private constructor(device: number, startedMs: number, child: ChildProcess | undefined) {
    this.#device = device;
    this.#startedMs = startedMs;
    this.#child = child;
    if (child === undefined) this.#done = true;
    else this.#follow(child);
  }

  /** Undefined where files have to be synced one by one: the system is none whose sync can be trusted, or has enough to do. */
  static start(directory: string): DirectorySync | undefined {
    try {
      const { dev } = statSync(directory);
      // Unsigned, also where the system's word is 32 bits long.
      const type = statfsSync(directory).type >>> 0;
      if (process.platform !== 'linux') return undefined;
      const nowMs = Date.now();
      if (type === TMPFS) return new DirectorySync(dev, nowMs, undefined);
      if (!SYNCED_WHOLE.has(type) || failed.has(dev) || running >= MAX_SYNCS || !tellsErrors())
        return undefined;
      const child = spawn('sync', ['-f', directory], { stdio: ['ignore', 'ignore', 'pipe'] });
      return new DirectorySync(dev, nowMs, child);
    } catch {
      // The directory is gone, or there is no room for a process: the guarded reads or the next sync tell.
      return undefined;
    }
  }

  get running(): boolean {
    return this.#running;
  }

  /**
   * Whether the file is durable, if a guarded read from now on finds it as it was before the sync. Not if it was written
   * within a clock tick of the sync: a write after that one may have given it the same times.
   */
  covers({ dev, ctimeMs }: FileIdentity): boolean {
    return this.#done && dev === this.#device && this.#startedMs - ctimeMs >= tickOf(ctimeMs);
  }

  [Symbol.dispose](): void {
    if (!this.#running) return;
    this.#ended();
    // One that waits for its disk ends when the disk lets it: nobody waits for that.
    this.#child?.kill('SIGKILL');
    this.#child?.stderr?.destroy();
    this.#child?.unref();
  }

  #follow(child: ChildProcess): void {
    this.#running = true;
    running++;
    // A sync(1) that does not know -f says so, syncs all disks, hides errors, and ends with 0.
    let silent = true;
    child.stderr?.on('data', () => (silent = false));
    // There is no sync(1), or it could not be started: nothing was told to anybody.
    child.once('error', () => this[Symbol.dispose]());
    child.once('close', (code) => {
      if (!this.#running) return;
      this.#ended();
      this.#done = code === 0 && silent;
      if (!this.#done) failed.add(this.#device);
    });
  }

  #ended(): void {
    this.#running = false;
    running--;
  }
}

function tellsErrors(): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number.parseFloat);
  return major > FIRST_KERNEL.major || (major === FIRST_KERNEL.major && minor >= FIRST_KERNEL.minor);
}
