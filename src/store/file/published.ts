import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { createDigester, type Digester, type DigestAlgorithm } from '../../model/digest.ts';
import { type FileEntry, toMicroseconds } from '../../model/file-entry.ts';
import { parentOf, type RelPath } from '../../model/rel-path.ts';
import { unlessAbsent } from './system-errors.ts';

/** Bytes read at a time for a digest: a millisecond of one disk; many devices may ask for digests at once. */
const READ_BYTES = 256 * 1024;

/** The file at `path`, or undefined where there is none: symlinks are not followed and are none. */
export async function statPublished(root: string, path: RelPath): Promise<FileEntry | undefined> {
  const found = await unlessAbsent(() => lstat(join(root, path)));
  if (found === undefined || !found.isFile() || !(await inRealFolders(root, path))) return undefined;
  return { path, size: found.size, mtimeUs: toMicroseconds(found.mtimeMs) };
}

/** Whether every folder from the root down to the parent of `path` is a real one: lstat sees only the last segment. */
export async function inRealFolders(root: string, path: RelPath): Promise<boolean> {
  const looks: Promise<boolean>[] = [];
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder))
    looks.push(isRealFolder(join(root, folder)));
  return (await Promise.all(looks)).every((real) => real);
}

async function isRealFolder(path: string): Promise<boolean> {
  const found = await unlessAbsent(() => lstat(path));
  return found?.isDirectory() ?? false;
}

/** Digest of the file at the absolute path; undefined where there is none. `checkGoesOn` throws to end it early. */
export async function digestPublished(
  path: string,
  algorithm: DigestAlgorithm,
  checkGoesOn: () => void,
): Promise<Buffer | undefined> {
  // O_NONBLOCK: opening a FIFO that somebody planted must not wait for its writer.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await unlessAbsent(() => open(path, flags));
  const found = await file?.stat();
  if (file === undefined || !found?.isFile()) return undefined;
  const digester = createDigester(algorithm);
  await digestInto(digester, file, found.size, checkGoesOn);
  return digester.digest();
}

/** Makes the bytes of the file at the absolute path durable. */
export async function syncPublished(path: string): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  await file.sync();
}

/** Reads all of a file, presumably `size` bytes, into `digester`; returns how many there were. */
export async function digestInto(
  digester: Digester,
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
