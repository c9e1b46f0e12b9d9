import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRecord } from '../list/file-record.ts';
import { readRecords } from '../list/read-records.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { unpack } from '../pack/read-stored.ts';
import { damagedObject } from './damage.ts';
import { opened, openStored, type ReadContext } from './read-context.ts';

/** Of the file, read at a time, in bytes. */
const READ_BYTES = 1024 * 1024;
const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The file list of a backup on the local disk, as it is stored (encrypted where it is), its digest checked: any number of times it can be read. */
export interface SpooledList extends AsyncDisposable {
  /** In order. Rejects with BACKUP_DAMAGED, KEY_MISSING. */
  records(): AsyncGenerator<FileRecord>;
}

/**
 * Fetches the list of a backup.
 * @param folder where its file is made; it has no name there, and is gone with this process
 * @throws IsyncError BACKUP_DAMAGED where it is missing, or not what the manifest says
 */
export async function spoolList(
  context: ReadContext,
  manifest: Manifest,
  folder: string,
): Promise<SpooledList> {
  const { list, isEncrypted } = manifest;
  const stored = await openStored(context, list);
  const file = await namelessFile(folder);
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const piece of stored.read(0, stored.size)) {
      hash.update(piece);
      await writeAll(file, piece);
      size += piece.length;
    }
    if (hash.digest('hex') !== list.sha256)
      throw damagedObject(list.key, 'the file list is not the one that was stored');
    return {
      async *records() {
        const ranges = await opened(context, rangesOf(file, size), isEncrypted);
        yield* readRecords(unpack('zstd', ranges.read(0, ranges.size)), list.records);
      },
      [Symbol.asyncDispose]: async () => await file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function namelessFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `.isync-list-${randomUUID()}`);
  const file = await open(path, NEW_FILE, 0o600);
  try {
    await unlink(path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

function rangesOf(file: FileHandle, size: number): ByteRanges {
  return {
    size,
    async *read(start, end, { signal } = {}) {
      for (let at = start; at < end;) {
        signal?.throwIfAborted();
        const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    },
  };
}
