import type { FileEntry } from '../model/file-entry.ts';
import { PARSE_MARKER } from '../model/markers.ts';
import { ProblemTally } from './problem-tally.ts';

/** Most names that are remembered: some 20 MB of memory. Of what has others, files and bytes are counted in all only. */
const MAX_NAMES = 100_000;

/** What lies below one name of a place: of a device, or of a directory. */
export interface Branch {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** In µs since the epoch: the latest that the listing tells, see Reader.listedMtime. */
  readonly newestUs: number;
  /** Of a device: its directories. */
  readonly directories: number;
  /** Directories in which `finished.parse` stands, the last file of a seal: of a device any number, of a directory 0 or 1. */
  readonly sealed: number;
}

interface Growing {
  readonly directories: Set<string>;
  files: number;
  bytes: number;
  newestUs: number;
  sealed: number;
}

/** The names right below a place, with what lies below each, and folders that can't be listed. */
export class Survey extends ProblemTally {
  readonly #depth: number;
  readonly #branches = new Map<string, Growing>();
  readonly #entries: FileEntry[] = [];
  readonly #most: number;
  #names = 0;
  files = 0;
  bytes = 0;
  /** Files that stand in no row, for there are too many names. */
  left = 0;

  /** @param depth of the place: 0 is a store, 1 a device, 2 or more what is in a directory */
  constructor(depth: number, most = MAX_NAMES) {
    super();
    this.#depth = depth;
    this.#most = most;
  }

  add(entry: FileEntry): void {
    this.files++;
    this.bytes += entry.size;
    const isTaken =
      this.#depth < 2 && entry.path.includes('/') ? this.#addBelow(entry) : this.#addFile(entry);
    if (!isTaken) this.left++;
  }

  /** By their names. */
  get branches(): readonly Branch[] {
    return [...this.#branches]
      .map(([name, { directories, ...branch }]) => ({ ...branch, name, directories: directories.size }))
      .toSorted((a, b) => inOrder(a.name, b.name));
  }

  /** Files that lie right at a store or a device, or at any depth in a directory; by their paths. */
  get entries(): readonly FileEntry[] {
    return this.#entries.toSorted((a, b) => inOrder(a.path, b.path));
  }

  #addFile(entry: FileEntry): boolean {
    if (!this.#hasRoom()) return false;
    this.#entries.push(entry);
    return true;
  }

  #addBelow({ path, size, mtimeUs }: FileEntry): boolean {
    const segments = path.split('/');
    const [name = '', directory] = segments;
    let branch = this.#branches.get(name);
    if (branch === undefined) {
      if (!this.#hasRoom()) return false;
      branch = { directories: new Set(), files: 0, bytes: 0, newestUs: mtimeUs, sealed: 0 };
      this.#branches.set(name, branch);
    }
    branch.files++;
    branch.bytes += size;
    branch.newestUs = Math.max(branch.newestUs, mtimeUs);
    // Below a store a directory is the second segment, below a device the first.
    const inDirectory = this.#depth === 0 ? segments.slice(1) : segments;
    if (isSeal(inDirectory)) branch.sealed++;
    if (this.#depth === 1 || directory === undefined || inDirectory.length < 2) return true;
    if (branch.directories.has(directory)) return true;
    if (!this.#hasRoom()) return false;
    branch.directories.add(directory);
    return true;
  }

  #hasRoom(): boolean {
    if (this.#names >= this.#most) return false;
    this.#names++;
    return true;
  }
}

/** Whether a path that begins with a directory is the marker of its seal. */
function isSeal(path: readonly string[]): boolean {
  return path.length === 2 && path[1] === PARSE_MARKER;
}

function inOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
