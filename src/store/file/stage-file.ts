import { closeSync, fsync, openSync, writeSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FileEntry } from '../../model/file-entry.ts';
import { errnoOf } from '../../model/isync-error.ts';
import type { StagingArea } from './staging-area.ts';
import { stamp, type Stamping } from './stamp.ts';

const syncFile = promisify(fsync);

let staged = 0;

/**
 * Writes a whole small file into the staging area, ready to be published. Resolves to its path when it is durable. All but
 * the fsync is synchronous: a promise for each call would cost more than the call.
 */
export async function stageFile(
  area: StagingArea,
  file: FileEntry,
  bytes: Uint8Array,
  stamping: Stamping,
): Promise<string> {
  staged += 1;
  const path = join(area.own, `put-${staged}`);
  const fd = create(area, path);
  try {
    try {
      writeAll(fd, bytes);
      stamp(fd, file, stamping);
      // Not fdatasync: POSIX lets that one leave the mtime behind, and for a new file it is no faster.
      await syncFile(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    await discard(path);
    throw error;
  }
  return path;
}

/** Removes a staged file that is not going to be published. Never rejects. */
export async function discard(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch {
    // The caller tells why it is discarded. What stays behind is collected after this process.
  }
}

function create(area: StagingArea, path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    area.make();
    return openSync(path, 'wx', 0o600);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}
