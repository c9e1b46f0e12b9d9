import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { errnoOf } from '../../model/isync-error.ts';
import { OWN_FOLDER } from '../../model/own-folder.ts';
import { syncFolder } from '../../model/sync-folder.ts';

/** In the folder of isync at the root. */
const FILE = 'expired.jsonl';
/** From this size on, in bytes, a new file is begun: some 4,000 directories. */
const MAX_BYTES = 1024 * 1024;
/** Earlier files that are kept: FILE.1 is the latest. */
const EARLIER_FILES = 9;

/** A line of `ROOT/.isync/expired.jsonl`: a directory that has gone from the device. */
export interface ExpiredLine {
  /** When it went, ISO 8601. */
  readonly time: string;
  readonly name: string;
  /** Of its seal: how many files it had, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** When it was sealed, ISO 8601, and its inode: they tell it from others of its name. */
  readonly sealed: string;
  readonly inode: number;
  /** As the target was named, the identity of its store, and the device whose files they are there. */
  readonly target: string;
  readonly store: string;
  readonly device: string;
}

/**
 * The folder of isync at the root, which is made where it is missing. Throws Node's error; ENOTDIR where something else has its name,
 * also a symlink to a folder.
 */
export function ownFolder(root: string): string {
  const folder = `${root}/${OWN_FOLDER}`;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  closeSync(openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
  return folder;
}

/** Adds a line, durably. A directory that is there already is not told twice. Throws Node's error. */
export async function recordExpired(root: string, line: ExpiredLine): Promise<void> {
  const folder = ownFolder(root);
  const path = `${folder}/${FILE}`;
  if (linesOf(path).some((told) => isSame(told, line))) return;
  const fd = openSync(
    path,
    constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o644,
  );
  let size: number;
  try {
    // What a full disk or a power cut has cut short must not take this line with it.
    const begins = endsInLine(fd) ? '' : '\n';
    writeSync(fd, `${begins}${JSON.stringify(line)}\n`);
    fsyncSync(fd);
    ({ size } = fstatSync(fd));
  } finally {
    closeSync(fd);
  }
  if (size >= MAX_BYTES) rotate(path);
  await syncFolder(folder);
  await syncFolder(root);
}

/** The names of directories that have gone from the root, as far back as files are kept. */
export function expiredNames(root: string): ReadonlySet<string> {
  const path = `${root}/${OWN_FOLDER}/${FILE}`;
  const files = [path, ...Array.from({ length: EARLIER_FILES }, (_, at) => `${path}.${at + 1}`)];
  return new Set(files.flatMap((file) => linesOf(file).map(({ name }) => name)));
}

function rotate(path: string): void {
  for (let at = EARLIER_FILES; at > 0; at--) {
    try {
      renameSync(at === 1 ? path : `${path}.${at - 1}`, `${path}.${at}`);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

type Told = Pick<ExpiredLine, 'name' | 'sealed' | 'inode'>;

function isSame(told: Told, line: ExpiredLine): boolean {
  return told.name === line.name && told.sealed === line.sealed && told.inode === line.inode;
}

/** What is no line of ours is left out. */
function linesOf(path: string): Told[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const { name, sealed, inode }: Partial<Record<keyof Told, unknown>> = JSON.parse(line);
      const isOurs = typeof name === 'string' && typeof sealed === 'string' && typeof inode === 'number';
      return isOurs ? [{ name, sealed, inode }] : [];
    } catch {
      return [];
    }
  });
}

function endsInLine(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last.toString() === '\n';
}
