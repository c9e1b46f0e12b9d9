import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Gap, isRoot } from '../../harness/gaps.ts';
import { errnoOf } from '../../src/model/isync-error.ts';

const DISK_BYTES = 512 * 1024 * 1024;
/**
 * The journal is committed each second: names, times and modes reach the disk long before the content that nobody has synced,
 * which the kernel keeps for half a minute.
 */
const MOUNT_OPTIONS = 'loop,commit=1';
/** How often a copy is tried again, because the kernel wrote to the disk meanwhile. */
const MAX_TRIES = 200;
const TRY_AGAIN_MS = 5;

const mounted = new Set<LoopDisk>();
// Whatever ends this process, nothing stays mounted.
process.on('exit', () => {
  for (const disk of mounted) disk[Symbol.dispose]();
});

/** An ext4 file system in a file, mounted. */
export class LoopDisk implements Disposable {
  readonly path: string;
  readonly #image: string;

  private constructor(image: string) {
    this.#image = image;
    this.path = `${image}.mounted`;
    mkdirSync(this.path);
    execFileSync('mount', ['-t', 'ext4', '-o', MOUNT_OPTIONS, image, this.path], { stdio: 'pipe' });
    mounted.add(this);
  }

  static make(image: string, bytes = DISK_BYTES): LoopDisk {
    writeFileSync(image, '');
    truncateSync(image, bytes);
    execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'pipe' });
    return new LoopDisk(image);
  }

  /** What is found at the next start: the journal is replayed. */
  static start(image: string): LoopDisk {
    return new LoopDisk(image);
  }

  /**
   * Writes to `image` what the disk holds at one moment: the copy counts only when nothing was written to the disk, and nothing
   * was under way, from its beginning to its end.
   */
  async cut(image: string): Promise<void> {
    const [device = ''] = execFileSync('losetup', ['-n', '-O', 'NAME', '-j', this.#image], {
      encoding: 'utf8',
    })
      .trim()
      .split('\n');
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const before = writesTo(device);
      if (before.underWay === 0) {
        execFileSync('cp', ['--sparse=always', this.#image, image]);
        const after = writesTo(device);
        if (after.done === before.done && after.underWay === 0) return;
      }
      await sleep(TRY_AGAIN_MS);
    }
    throw new Error(`the disk did not rest in ${MAX_TRIES} tries`);
  }

  [Symbol.dispose](): void {
    if (!mounted.delete(this)) return;
    execFileSync('umount', ['--lazy', this.path]);
    rmdirSync(this.path);
  }
}

/** Requests that may write, by Documentation/block/stat.rst of the kernel. */
function writesTo(device: string): { readonly done: string; readonly underWay: number } {
  const fields = readFileSync(`/sys/block/${device.replace('/dev/', '')}/stat`, 'utf8')
    .trim()
    .split(/\s+/);
  return { done: [fields[4], fields[11], fields[15]].join(), underWay: Number(fields[8]) };
}

/** Why no disk can be mounted here; undefined where it can. */
export function impossible(): Gap | undefined {
  if (!isRoot) return { kind: 'permission', why: 'mounting needs root' };
  const folder = mkdtempSync(join(tmpdir(), 'isync-loop-'));
  try {
    LoopDisk.make(join(folder, 'disk'), 8 * 1024 * 1024)[Symbol.dispose]();
    return undefined;
  } catch (thrown) {
    return { kind: errnoOf(thrown) === 'ENOENT' ? 'tool' : 'permission', why: String(thrown) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
