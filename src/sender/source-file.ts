import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileIdentity, identityOf, sameIdentity } from '../model/file-identity.ts';
import { withoutBytes } from '../model/chunks.ts';
import { errnoOf, IsyncError } from '../model/isync-error.ts';
import type { ListedFile } from '../scanner/listed-file.ts';
import type { KeptOpen } from './kept-open.ts';
import type { SourceFile, SourceReader } from './target.ts';

/**
 * O_NOFOLLOW: a file that was exchanged for a symlink is not read through it. O_NONBLOCK: a file that was
 * exchanged for a FIFO does not hang the open.
 */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file of this machine. */
export interface LocalFile extends SourceFile {
  /** Of the file that was read, where it is still open. */
  readonly descriptor: number | undefined;
}

/**
 * The version of a file below `root` that `file` describes: all reads are of it or reject (see {@link SourceFile}). What was read stays
 * open where `keptOpen` has room for it.
 */
export function createSourceFile(root: string, file: ListedFile, keptOpen?: KeptOpen): LocalFile {
  return new GuardedFile(root, file, keptOpen);
}

class GuardedFile implements LocalFile {
  readonly entry: ListedFile['entry'];
  readonly #root: string;
  readonly #identity: FileIdentity;
  readonly #keptOpen: KeptOpen | undefined;
  #descriptor: number | undefined;

  constructor(root: string, { entry, identity }: ListedFile, keptOpen: KeptOpen | undefined) {
    this.entry = entry;
    this.#root = root;
    this.#identity = identity;
    this.#keptOpen = keptOpen;
  }

  get descriptor(): number | undefined {
    return this.#descriptor;
  }

  letGo(): void {
    const descriptor = this.#descriptor;
    if (descriptor === undefined) return;
    this.#descriptor = undefined;
    this.#keptOpen?.giveBack();
    closeSync(descriptor);
  }

  /** Opened anew each time: only that asks a network file system whether what it has in memory still holds. */
  readWhole(into?: Buffer): Buffer {
    this.letGo();
    const { path } = this.entry;
    let fd: number | undefined;
    try {
      fd = openSync(`${this.#root}/${path}`, READ_FLAGS);
      const content = this.#readAll(fd, into);
      if (this.#keptOpen?.take() === true) this.#descriptor = fd;
      return content;
    } catch (error) {
      const failure = readError(error, path);
      // Of reading only this passes: no descriptor is left.
      if (failure.retryable) this.#keptOpen?.ranOut();
      throw failure;
    } finally {
      if (fd !== undefined && this.#descriptor === undefined) closeSync(fd);
    }
  }

  #readAll(fd: number, into: Buffer | undefined): Buffer {
    const { path, size } = this.entry;
    checkIdentity(fstatSync(fd), this.#identity, path);
    const fits = into !== undefined && size <= into.length;
    const content = fits ? into.subarray(0, size) : Buffer.allocUnsafe(size);
    let filled = 0;
    while (filled < size) {
      const count = readSync(fd, content, filled, size - filled, filled);
      if (count === 0) throw changed(path);
      filled += count;
    }
    checkIdentity(fstatSync(fd), this.#identity, path);
    return content;
  }

  async open(): Promise<SourceReader> {
    const { path } = this.entry;
    try {
      const handle = await open(join(this.#root, path), READ_FLAGS);
      const reader = new GuardedReader(handle, this.#identity, path);
      try {
        await reader.check();
      } catch (error) {
        await handle.close();
        throw error;
      }
      return reader;
    } catch (error) {
      throw readError(error, path);
    }
  }
}

class GuardedReader implements SourceReader {
  readonly #handle: FileHandle;
  readonly #identity: FileIdentity;
  readonly #path: string;

  constructor(handle: FileHandle, identity: FileIdentity, path: string) {
    this.#handle = handle;
    this.#identity = identity;
    this.#path = path;
  }

  async read(into: readonly Uint8Array[], position: number): Promise<number> {
    try {
      let filled = 0;
      for (let left = into; left.length > 0; left = withoutBytes(into, filled)) {
        const { bytesRead } = await this.#handle.readv(left, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    } catch (error) {
      throw readError(error, this.#path);
    }
  }

  async check(): Promise<void> {
    try {
      // Synchronous: it asks nothing of the disk, and the thread pool would cost thirty times as much.
      checkIdentity(fstatSync(this.#handle.fd), this.#identity, this.#path);
    } catch (error) {
      throw readError(error, this.#path);
    }
  }

  /** FileHandle.close is idempotent by itself. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}

/** ctime tells of writes whose mtime was set back, and of a rename over the path, which unlinks the open file. */
function checkIdentity(now: Stats, listed: FileIdentity, path: string): void {
  if (!now.isFile()) throw notRegular(path);
  if (!sameIdentity(identityOf(now), listed)) throw changed(path);
}

export function changed(path: string): IsyncError {
  return new IsyncError('FILE_CHANGED', 'the file changed while it was read', { path });
}

function notRegular(path: string, cause?: unknown): IsyncError {
  return new IsyncError('NOT_REGULAR', 'not a regular file', { path, cause });
}

/** Returns an error of reading a local file as an IsyncError. */
export function readError(error: unknown, path: string): IsyncError {
  if (error instanceof IsyncError) return error;
  const errno = errnoOf(error) ?? '';
  const message = error instanceof Error ? error.message : String(error);
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ESTALE':
      return new IsyncError('FILE_VANISHED', 'the file is gone', { path, cause: error });
    // ENXIO is what open(2) says of a socket.
    case 'ELOOP':
    case 'ENXIO':
      return notRegular(path, error);
    case 'EMFILE':
    case 'ENFILE':
      return new IsyncError('FILE_UNREADABLE', 'no file descriptor left', {
        path,
        retryable: true,
        cause: error,
        hint: 'Raise the limit of open files (ulimit -n).',
      });
    default:
      return new IsyncError('FILE_UNREADABLE', `can't be read: ${message}`, { path, cause: error });
  }
}
