import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { scanOnce } from '../../harness/cli.ts';
import { isSealed } from '../../harness/data-tree.ts';
import type { Random } from '../../harness/random.ts';

export const DEVICE = 'edge1';
/** Times that differ by less are the same, in ms: a store keeps whole microseconds. */
const SAME_MTIME_MS = 0.0021;
/** Sealed directories that stand ready to go. */
const READY = { low: 1, high: 4 };
const FILES = { low: 1, high: 300 };
const BYTES = [0, 1, 100, 4096, 70_000, 1_200_000];
const ASIDE = '.isync-expire-';

/** A file as the parser has made it. */
interface Made {
  readonly digest: string;
  readonly mtimeMs: number;
}

/** A device with sealed directories, its store, and a record of all that was ever made. */
export class World {
  readonly root: string;
  readonly store: string;
  readonly #random: Random;
  /** By path below the root. */
  readonly #made = new Map<string, Made>();
  /** Files that were found gone, and equal at the target then. */
  readonly #gone = new Set<string>();
  #count = 0;

  constructor(root: string, store: string, random: Random) {
    this.root = root;
    this.store = store;
    this.#random = random;
    mkdirSync(root, { recursive: true });
    mkdirSync(store, { recursive: true });
  }

  /** Directories that are on the device, under their names. */
  get ready(): string[] {
    return readdirSync(this.root).filter((name) => !name.startsWith('.'));
  }

  get aside(): string[] {
    return readdirSync(this.root).filter((name) => name.startsWith(ASIDE));
  }

  get goneFiles(): number {
    return this.#gone.size;
  }

  /** Makes directories until some stand ready, sealed at the store. */
  async refill(): Promise<void> {
    const wanted = this.#random.int(READY.low, READY.high);
    for (let made = this.ready.length; made < wanted; made++) this.#makeDirectory(`DC${++this.#count}`);
    const { exitCode, stderr } = await scanOnce(this.root, { to: this.store, device: DEVICE });
    const unsealed = this.ready.filter((name) => !isSealed(this.root, name));
    if (exitCode !== 0 || unsealed.length > 0)
      throw new Error(`${unsealed.join(', ')} could not be sealed (${exitCode}): ${stderr}`);
  }

  /**
   * What is wrong, a line each: every file that has ever been made is on the device, whole, or equal at the target. What has
   * gone now counts as gone, whatever happens to the target from here on.
   */
  check(): string[] {
    const wrong = this.lost(this.root);
    for (const path of this.#made.keys())
      if (this.#placeOf(this.root, path) === undefined) this.#gone.add(path);
    return wrong;
  }

  /** The same on a disk that was started again, of what had not gone before. */
  lost(root: string): string[] {
    const wrong: string[] = [];
    for (const [path, made] of this.#made) {
      if (this.#gone.has(path)) continue;
      const here = this.#placeOf(root, path);
      if (here === undefined && !isSame(join(this.store, DEVICE, path), made))
        wrong.push(`${path} is gone from the device and not equal at the target`);
      if (here !== undefined && !isSame(here, made)) wrong.push(`${path} is not whole on the device`);
    }
    return wrong;
  }

  /** Directories below a root, under their names or set aside. */
  whatIsLeft(root: string): string[] {
    return readdirSync(root).filter((name) => name.startsWith(ASIDE) || !name.startsWith('.'));
  }

  /** Files that are still on the device, of directories that are due; their copies may be harmed. */
  present(): string[] {
    return [...this.#made.keys()].filter((path) => !this.#gone.has(path));
  }

  #placeOf(root: string, path: string): string | undefined {
    return [join(root, path), join(root, ASIDE + path)].find((place) => existsSync(place));
  }

  #makeDirectory(name: string): void {
    const files = this.#random.int(FILES.low, FILES.high);
    for (let at = 0; at < files; at++) {
      const folder = this.#random.chance(0.3) ? `sub${this.#random.below(3)}/` : '';
      // Of large ones only some, for time's sake.
      const bytes = this.#random.pick(this.#random.chance(0.05) ? BYTES : BYTES.slice(0, 4));
      this.#write(`${name}/${folder}f${at}`, this.#random.bytes(Math.min(bytes, 64)), bytes);
    }
    this.#write(`${name}/finished.parse`, Buffer.alloc(0), 0);
  }

  #write(path: string, seed: Buffer, bytes: number): void {
    const absolute = join(this.root, path);
    mkdirSync(dirname(absolute), { recursive: true });
    const content = bytes <= seed.length ? seed.subarray(0, bytes) : Buffer.alloc(bytes, seed);
    writeFileSync(absolute, content);
    this.#made.set(path, { digest: digestOf(content), mtimeMs: lstatSync(absolute).mtimeMs });
  }
}

function isSame(path: string, { digest, mtimeMs }: Made): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true || Math.abs(stats.mtimeMs - mtimeMs) > SAME_MTIME_MS) return false;
  return digestOf(readFileSync(path)) === digest;
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
