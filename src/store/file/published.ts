import { closeSync, constants, fstatSync, openSync, read, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { createDigester, type Digester, type DigestAlgorithm } from '../../model/digest.ts';
import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import { parentOf, type RelPath } from '../../model/rel-path.ts';
import type { ReadOptions } from '../store.ts';
import { replaced } from '../store-errors.ts';
import { lstatAt } from './read-folder.ts';
import { unlessAbsent, unlessAbsentSync } from './system-errors.ts';

/** Bytes read at a time: a millisecond of one disk. Many devices may ask for digests at once. */
const READ_BYTES = 256 * 1024;
/** Most that is read at a time where the caller has said how much it holds: each piece costs a turn of the thread pool and a copy. */
const HELD_BYTES = 1024 * 1024;
/** O_NONBLOCK: opening a FIFO that somebody planted must not wait for its writer. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A version that is published. */
export interface Published {
  readonly entry: FileEntry;
  /** Tells it from every later version. */
  readonly stats: Stats;
}

/** The file at `path`, or undefined where there is none: symlinks are not followed and are none. */
export async function findPublished(root: string, path: RelPath): Promise<Published | undefined> {
  const stats = await unlessAbsent(() => lstat(`${root}/${path}`));
  if (stats === undefined || !stats.isFile() || !inRealFolders(root, path)) return undefined;
  return publishedOf(path, stats);
}

export function publishedOf(path: RelPath, stats: Stats): Published {
  return { entry: { path, size: stats.size, mtimeUs: toMicroseconds(stats.mtimeMs) }, stats };
}

export async function statPublished(root: string, path: RelPath): Promise<FileEntry | undefined> {
  return (await findPublished(root, path))?.entry;
}

/** Where the bytes that are wanted of a file of this size end; never before `start`. */
export function endOf(size: number, { start = 0, length = Infinity }: ReadOptions): number {
  return Math.max(start, Math.min(size, start + length));
}

/**
 * The bytes of a version that are wanted. An open descriptor keeps a version that is replaced meanwhile, whole; a write
 * into the file shows in its size or mtime. With `reuse` all pieces have the same memory. `checkGoesOn` throws to end it early.
 * Only what may wait for the disk is left to the thread pool: the kernel has the inode since it was looked at.
 * @throws IsyncError FILE_CHANGED
 */
export async function* readPublished(
  root: string,
  { entry, stats }: Published,
  options: ReadOptions,
  checkGoesOn: () => void,
): AsyncGenerator<Uint8Array> {
  const { path, size } = entry;
  const { start = 0, reuse = false, memory = ownMemory } = options;
  const pieceBytes = reuse || options.length === undefined ? READ_BYTES : HELD_BYTES;
  const end = endOf(size, options);
  const fd = unlessAbsentSync(() => openSync(`${root}/${path}`, READ_FLAGS));
  if (fd === undefined) throw replaced(path);
  try {
    // A single piece is compared once it is read.
    if (end - start > pieceBytes) checkSame(fstatSync(fd), stats, path);
    let buffer: Buffer | undefined;
    for (let position = start; position < end;) {
      checkGoesOn();
      const length = Math.min(pieceBytes, end - position);
      if (!reuse || buffer === undefined) buffer = memory(length);
      const bytesRead = await readAt(fd, buffer.subarray(0, length), position);
      if (bytesRead === 0) throw replaced(path);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    checkSame(fstatSync(fd), stats, path);
  } finally {
    closeSync(fd);
  }
}

/** Resolves to how many bytes were read: fewer than there is room for, perhaps, and none only at the end of the file. */
function readAt(fd: number, buffer: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, position, (error, bytesRead) => {
      if (error === null) resolve(bytesRead);
      else reject(error);
    });
  });
}

function ownMemory(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(bytes);
}

/** @throws IsyncError FILE_CHANGED where a file is not the version any more that it was */
export function checkSame(now: Stats, then: Stats, path: RelPath): void {
  const isSame =
    now.ino === then.ino && now.dev === then.dev && now.size === then.size && now.mtimeMs === then.mtimeMs;
  if (!isSame) throw replaced(path);
}

/**
 * Whether every folder from the root down to the parent of `path` is a real one: lstat sees only the last segment. What was looked at
 * below them a moment ago has brought them into memory, so that this waits for no disk.
 */
export function inRealFolders(root: string, path: RelPath): boolean {
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder))
    if (lstatAt(`${root}/${folder}`)?.isDirectory() !== true) return false;
  return true;
}

/** Digest of the file at the absolute path; undefined where there is none. `checkGoesOn` throws to end it early. */
export async function digestPublished(
  path: string,
  algorithm: DigestAlgorithm,
  checkGoesOn: () => void,
): Promise<Buffer | undefined> {
  await using file = await unlessAbsent(() => open(path, READ_FLAGS));
  const found = await file?.stat();
  if (file === undefined || !found?.isFile()) return undefined;
  const digester = createDigester(algorithm);
  await readInto(digester, file, found.size, checkGoesOn);
  return digester.digest();
}

/** Makes the bytes of the file at the absolute path durable. */
export async function syncPublished(path: string): Promise<void> {
  await using file = await open(path, READ_FLAGS);
  await file.sync();
}

/** Makes the bytes of the file at `path` durable; false where there is none. */
export async function syncIfThere(root: string, path: RelPath): Promise<boolean> {
  if ((await findPublished(root, path)) === undefined) return false;
  const isSynced = await unlessAbsent(async () => {
    await syncPublished(`${root}/${path}`);
    return true;
  });
  return isSynced ?? false;
}

/** Reads all of a file into `digester`; returns how many bytes there were. `size` is how many to expect. */
export async function readInto(
  digester: Pick<Digester, 'update'>,
  file: FileHandle,
  size: number,
  checkGoesOn: () => void,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size + 1));
  let position = 0;
  for (;;) {
    checkGoesOn();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    digester.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}
