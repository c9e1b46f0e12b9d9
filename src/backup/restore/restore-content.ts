import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { Archives } from '../read/archives.ts';
import { readFiles } from '../read/read-files.ts';
import { MARKER_NAME } from './destination.ts';
import { FolderPath } from './folder-path.ts';
import { type Members, noteProblem, selectedOf } from './members.ts';
import type { OpenFolder } from './open-folder.ts';
import { Restoring } from './restoring.ts';
import { Settling } from './settling.ts';
import { stamp } from './stamp.ts';

/** Files that are read together, and folders that they keep open: the more, the fewer frames are read twice. */
const MAX_FILES = 8192;
const MAX_FOLDERS = 256;
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const READ_BYTES = 1024 * 1024;

export interface ContentRequest extends Members {
  readonly archives: Archives;
}

/**
 * Makes the folders, and the files with their content: all that can't lead elsewhere. Other names of a file are left out where the file
 * itself is restored.
 */
export async function restoreContent(request: ContentRequest): Promise<void> {
  const { root, isSelected, isResumed, tally } = request;
  using folders = new FolderPath(root, { open: (parent, name) => parent.make(name, isResumed) });
  const batch = new Batch(request);
  try {
    for await (const record of selectedOf(request)) {
      const { path } = record;
      try {
        if (path === MARKER_NAME || path.startsWith(`${MARKER_NAME}/`))
          throw new IsyncError('BAD_PATH', 'a restore keeps its own state under this name', { path });
        if (record.type === 'directory') {
          folders.into(path);
          tally.directories++;
        } else if (record.type === 'file' && !isRestoredAs(record, isSelected)) {
          const { folder, name } = folders.toParentOf(path);
          if (isResumed && isThere(folder, name, record)) {
            tally.files++;
            tally.resumed++;
            tally.bytes += record.size;
          } else batch.add(new Restoring(record, folder, name, tally, batch.settling), folder);
        }
      } catch (error) {
        noteProblem(tally, path, error);
      }
      if (batch.isFull) await batch.run();
    }
    await batch.run();
  } finally {
    batch.release();
  }
}

/** Whether it is made as another name of a file that is restored. */
export function isRestoredAs({ linkTo }: RegularRecord, isSelected: (path: string) => boolean): boolean {
  return linkTo !== undefined && isSelected(linkTo);
}

class Batch {
  readonly #request: ContentRequest;
  #files: Restoring[] = [];
  readonly #folders = new Set<OpenFolder>();
  readonly settling = new Settling();

  constructor(request: ContentRequest) {
    this.#request = request;
  }

  get isFull(): boolean {
    return this.#files.length >= MAX_FILES || this.#folders.size >= MAX_FOLDERS;
  }

  add(file: Restoring, folder: OpenFolder): void {
    this.#files.push(file);
    this.#folders.add(folder);
  }

  async run(): Promise<void> {
    const { archives, signal } = this.#request;
    try {
      await readFiles(archives, this.#files, signal);
    } finally {
      await this.settling.idle();
    }
    this.release();
  }

  release(): void {
    for (const file of this.#files.splice(0)) file.release();
    this.#folders.clear();
  }
}

/** Whether an earlier restore has left just this file. Whatever else stands there is removed. */
function isThere(folder: OpenFolder, name: Buffer, record: RegularRecord): boolean {
  const at = folder.at(name);
  const found = lstatSync(at, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (found.isFile() && found.nlink === 1 && found.size === record.size && hasContent(at, record))
    return true;
  if (found.isDirectory()) rmdirSync(at);
  else unlinkSync(at);
  return false;
}

function hasContent(at: Buffer, record: RegularRecord): boolean {
  let fd: number;
  try {
    fd = openSync(at, READ_FLAGS);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return false;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return false;
    const hash = createHash('sha256');
    const piece = Buffer.allocUnsafe(READ_BYTES);
    for (let count = readSync(fd, piece); count > 0; count = readSync(fd, piece))
      hash.update(piece.subarray(0, count));
    if (hash.digest('hex') !== record.sha256) return false;
    stamp(fd, record);
    return true;
  } finally {
    closeSync(fd);
  }
}
