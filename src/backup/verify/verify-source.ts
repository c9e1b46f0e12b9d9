import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Abortable } from '../../model/abortable.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { pathBytes } from '../list/escaped-name.ts';
import type { FileRecord, RegularRecord } from '../list/file-record.ts';

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Read at a time, in bytes. */
const READ_BYTES = 1024 * 1024;
/** Reads after which other work gets its turn. */
const STEPS_AT_ONCE = 64;
/** Differences that are told one by one. */
const MAX_PROBLEMS = 100;

export interface SourceVerification {
  /** Files that have been compared, and their bytes. */
  readonly files: number;
  readonly bytes: number;
  /** Files that have changed since, or are gone: they can't be compared. */
  readonly changed: number;
  readonly problems: number;
  /** The first of them: FILE_UNREADABLE, and DIFFERENT where neither size nor times tell why. */
  readonly firstProblems: readonly { readonly path: string; readonly error: IsyncError }[];
}

/**
 * Compares a backup with the files that it was made of, as far as they have not changed since: by size, times and inode. What differs then
 * has gone bad here, or was read wrongly.
 * @param root where the paths of the archive begin: "/"
 */
export async function verifySource(
  records: AsyncIterable<FileRecord>,
  { root = '/', signal }: Abortable & { readonly root?: string } = {},
): Promise<SourceVerification> {
  const counts = { files: 0, bytes: 0, changed: 0, problems: 0 };
  const firstProblems: SourceVerification['firstProblems'][number][] = [];
  const reader = new SourceReader(signal);
  const before = Buffer.from(root.endsWith('/') ? root : `${root}/`);
  for await (const record of records) {
    signal?.throwIfAborted();
    if (record.type !== 'file' || record.seen === undefined) continue;
    try {
      const digest = await reader.digestOf(Buffer.concat([before, pathBytes(record.path)]), record);
      if (digest === undefined) {
        counts.changed++;
        continue;
      }
      counts.files++;
      counts.bytes += record.size;
      if (digest !== record.sha256)
        throw new IsyncError(
          'DIFFERENT',
          'its content is not what was backed up, though nothing else has changed',
          {
            path: record.path,
            hint: 'Compare it with the restored one: the disk or the memory of this machine may fail.',
          },
        );
    } catch (error) {
      if (!(error instanceof IsyncError)) throw error;
      counts.problems++;
      if (firstProblems.length < MAX_PROBLEMS) firstProblems.push({ path: record.path, error });
    }
  }
  return { ...counts, firstProblems };
}

/** Reads files one after the other into the same memory, and lets other work have its turn now and then. */
class SourceReader {
  readonly #piece = Buffer.allocUnsafe(READ_BYTES);
  readonly #signal: AbortSignal | undefined;
  #steps = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Undefined where it is not the file that was backed up, or changes. */
  async digestOf(at: Buffer, record: RegularRecord): Promise<string | undefined> {
    try {
      const fd = openSync(at, READ_FLAGS);
      try {
        if (!isAsSeen(fstatSync(fd, { bigint: true }), record)) return undefined;
        const digest = await this.#hashed(fd);
        return isAsSeen(fstatSync(fd, { bigint: true }), record) ? digest : undefined;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined || error instanceof IsyncError) throw error;
      if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errno)) return undefined;
      throw new IsyncError('FILE_UNREADABLE', `it can't be read (${errno})`, {
        path: record.path,
        cause: error,
      });
    }
  }

  async #hashed(fd: number): Promise<string> {
    const hash = createHash('sha256');
    for (;;) {
      await this.#turn();
      const bytesRead = readSync(fd, this.#piece);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(this.#piece.subarray(0, bytesRead));
    }
  }

  async #turn(): Promise<void> {
    if (++this.#steps % STEPS_AT_ONCE !== 0) return;
    await setImmediate();
    this.#signal?.throwIfAborted();
  }
}

function isAsSeen(stats: BigIntStats, { size, mtimeNs, seen }: RegularRecord): boolean {
  return (
    stats.isFile() &&
    stats.size === BigInt(size) &&
    stats.mtimeNs === mtimeNs &&
    stats.ino === seen?.inode &&
    stats.ctimeNs === seen.ctimeNs
  );
}
