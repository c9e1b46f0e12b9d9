import { closeSync, fsync, fsyncSync, openSync, writeSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { FileEntry } from '../../model/file-entry.ts';
import { errnoOf } from '../../model/isync-error.ts';
import type { StagingArea } from './staging-area.ts';
import { stamp, type Stamping } from './stamp.ts';

let staged = 0;

/** Told of a staged file: its path, once it is durable, or why there is none. Must not throw. */
export type Staged = (path: string | undefined, error?: unknown) => void;

/** Writes a whole small file into the staging area, ready to be published. Resolves to its path when it is durable. */
export function stageFile(
  area: StagingArea,
  file: FileEntry,
  bytes: Uint8Array,
  stamping: Stamping,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  stageThen(area, file, bytes, stamping, (path, error) => {
    if (path === undefined) reject(error);
    else resolve(path);
  });
  return promise;
}

/**
 * The same, told by a callback, perhaps before this returns. All but the fsync is synchronous: a promise for each call would cost
 * more than the call. In memory the fsync is, too.
 */
export function stageThen(
  area: StagingArea,
  file: FileEntry,
  bytes: Uint8Array,
  stamping: Stamping,
  onStaged: Staged,
): void {
  staged += 1;
  const path = `${area.own}/put-${staged}`;
  const fail = async (reason: unknown): Promise<void> => {
    await discard(path);
    onStaged(undefined, reason);
  };
  let fd: number | undefined;
  try {
    fd = create(area, path);
    writeAll(fd, bytes);
    stamp(fd, file, stamping);
    // Not fdatasync: POSIX lets that one leave the mtime behind, and for a new file it is no faster.
    if (area.isInMemory) fsyncSync(fd);
  } catch (error) {
    void fail(closeAfter(fd, error));
    return;
  }
  const open = fd;
  const close = (error: unknown): void => {
    const failure = closeAfter(open, error);
    if (failure === undefined) onStaged(path);
    else void fail(failure);
  };
  if (area.isInMemory) close(undefined);
  else fsync(open, (error) => close(error ?? undefined));
}

/** Closes a file. Returns why it failed, or what `earlier` failed with. */
function closeAfter(fd: number | undefined, earlier: unknown): unknown {
  try {
    if (fd !== undefined) closeSync(fd);
    return earlier;
  } catch (error) {
    return earlier ?? error;
  }
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
