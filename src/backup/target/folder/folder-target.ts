import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { Abortable } from '../../../model/abortable.ts';
import { errnoOf, IsyncError } from '../../../model/isync-error.ts';
import { syncFolder } from '../../../model/sync-folder.ts';
import { storeError, unlessAbsent } from '../../../store/file/system-errors.ts';
import type { ByteRanges } from '../../pack/byte-ranges.ts';
import type {
  ArchiveAttributes,
  BackupTarget,
  StoredPart,
  TargetCapabilities,
  TargetObject,
  TargetPart,
  TargetUpload,
} from '../target.ts';
import { madeObject } from '../made-object.ts';
import { type FolderUpload, publish, Staged } from './staged.ts';

/** A part is held in memory, so this bounds it: 9,000 of them are what an object of S3 can be, and some. Bytes. */
const MOST_PART_BYTES = 1024 ** 3;
/** Of a file, read at a time, in bytes. */
const READ_BYTES = 1024 * 1024;
/** Answers of file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

export interface FolderTargetOptions {
  /** Absolute, there already: it may be a disk that is not mounted. */
  readonly path: string;
  /** Of the job; its folder is made in there. */
  readonly job: string;
}

/** Backups as files of a folder, `PATH/JOB/KEY`. It knows no locks, tags or storage classes. */
export function openFolderTarget(options: FolderTargetOptions): BackupTarget {
  return new FolderTarget(options);
}

class FolderTarget implements BackupTarget {
  readonly name: string;
  readonly capabilities: TargetCapabilities = {
    lock: undefined,
    leastPartBytes: 1,
    mostPartBytes: MOST_PART_BYTES,
  };
  /** The time of files is that of this machine, or of a server that nothing asks. */
  readonly clockAheadMs = undefined;
  readonly #folder: string;
  readonly #staged: Staged;

  constructor({ path, job }: FolderTargetOptions) {
    this.name = path;
    this.#folder = join(path, job);
    this.#staged = new Staged(this.#folder);
  }

  async *list({ signal }: Abortable = {}): AsyncGenerator<TargetObject> {
    signal?.throwIfAborted();
    await this.#guard(undefined, async () => await this.#checkRoot());
    const folder = await this.#guard(undefined, async () => await unlessAbsent(() => opendir(this.#folder)));
    if (folder === undefined) return;
    for await (const { name } of folder) {
      signal?.throwIfAborted();
      // Removed meanwhile, or no file: it is no object.
      const found = name.startsWith('.') ? undefined : await this.head(name);
      if (found !== undefined) yield found;
    }
  }

  async head(key: string, { signal }: Abortable = {}): Promise<TargetObject | undefined> {
    signal?.throwIfAborted();
    return await this.#guard(key, async () => {
      const found = await unlessAbsent(() => lstat(this.#pathOf(key), { bigint: true }));
      return found?.isFile() === true ? objectOf(key, found) : undefined;
    });
  }

  async read(key: string, options: Abortable = {}): Promise<ByteRanges | undefined> {
    const found = await this.head(key, options);
    if (found === undefined) return undefined;
    return {
      size: found.size,
      read: (start, end, { signal = options.signal } = {}) => this.#bytesOf(found, start, end, signal),
    };
  }

  async put(key: string, bytes: Uint8Array, { signal }: Abortable = {}): Promise<void> {
    signal?.throwIfAborted();
    await this.#guard(key, async () => {
      await this.#putWhole(key, bytes, async (path) => await publish(path, this.#folder, key));
    });
  }

  async putIfAbsent(key: string, bytes: Uint8Array, { signal }: Abortable = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return await this.#guard(key, async () => {
      let isNew = false;
      await this.#putWhole(key, bytes, async (path) => {
        isNew = await this.#publishIfAbsent(path, key);
      });
      return isNew;
    });
  }

  async begin(key: string, { partBytes }: ArchiveAttributes, { signal }: Abortable = {}): Promise<string> {
    signal?.throwIfAborted();
    return await this.#guard(key, async () => {
      await this.#makeFolder();
      this.#pathOf(key);
      return await this.#staged.begin(key, partBytes);
    });
  }

  async putPart(upload: TargetUpload, part: TargetPart, { signal }: Abortable = {}): Promise<string> {
    signal?.throwIfAborted();
    return await this.#guard(upload.key, async () => await this.#staged.put(upload, part));
  }

  async parts(upload: TargetUpload): Promise<ReadonlyMap<number, StoredPart> | undefined> {
    return await this.#guard(upload.key, async () => {
      await this.#checkRoot();
      this.#pathOf(upload.key);
      return await unlessMissing(this.#staged.parts(upload));
    });
  }

  async complete(upload: TargetUpload, etags: readonly string[], size: number): Promise<TargetObject> {
    const { key } = upload;
    await this.#guard(key, async () => {
      await this.#checkRoot();
      this.#pathOf(key);
      const isUnderWay = (await unlessMissing(this.#staged.parts(upload))) !== undefined;
      if (isUnderWay)
        await this.#staged.complete(upload, etags, async (path) => await publish(path, this.#folder, key));
    });
    return madeObject(await this.head(key), key, size);
  }

  async abort(upload: TargetUpload): Promise<void> {
    await this.#guard(upload.key, async () => {
      this.#pathOf(upload.key);
      await this.#staged.remove(upload);
    });
  }

  async *uploads({ signal }: Abortable = {}): AsyncGenerator<FolderUpload> {
    signal?.throwIfAborted();
    try {
      await this.#checkRoot();
      yield* this.#staged.list();
    } catch (error) {
      throw storeError(error, this.#folder);
    }
  }

  async remove(key: string, { signal }: Abortable = {}): Promise<'removed' | 'absent'> {
    signal?.throwIfAborted();
    return await this.#guard(key, async () => {
      await this.#checkRoot();
      const isRemoved = await unlessAbsent(async () => {
        await unlink(this.#pathOf(key));
        return true;
      });
      if (isRemoved === undefined) return 'absent';
      await syncFolder(this.#folder);
      return 'removed';
    });
  }

  async lockedUntil(): Promise<undefined> {}

  async lock(key: string): Promise<void> {
    throw new IsyncError('STORE_FAILED', 'a folder can lock nothing', { path: key, retryable: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#bytesOf(
    { key, etag }: TargetObject,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const opened = await this.#guard(
      key,
      async () => await unlessAbsent(() => open(this.#pathOf(key), flags)),
    );
    if (opened === undefined)
      throw new IsyncError('MISSING', 'the file is not there any more', { path: key });
    await using file = opened;
    const now = await this.#guard(key, async () => await file.stat({ bigint: true }));
    if (objectOf(key, now).etag !== etag)
      throw new IsyncError('FILE_CHANGED', 'another file has taken its place', { path: key });
    for (let at = start; at < end;) {
      signal?.throwIfAborted();
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
      const { bytesRead } = await this.#guard(key, async () => await file.read(buffer, 0, buffer.length, at));
      if (bytesRead === 0)
        throw new IsyncError('LINK_LOST', `the file ends ${end - at} bytes early`, { path: key });
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** As an upload of one part, so that what a kill leaves is found. */
  async #putWhole(key: string, bytes: Uint8Array, take: (path: string) => Promise<void>): Promise<void> {
    await this.#makeFolder();
    this.#pathOf(key);
    const id = await this.#staged.begin(key, bytes.length);
    const md5 = createHash('md5').update(bytes).digest('base64');
    try {
      const etag = await this.#staged.put({ key, id }, { number: 1, bytes, md5 });
      await this.#staged.complete({ key, id }, [etag], take);
    } catch (error) {
      await this.#staged.remove({ key, id }).catch(() => {
        // The first error tells more.
      });
      throw error;
    }
  }

  async #publishIfAbsent(path: string, key: string): Promise<boolean> {
    try {
      await link(path, this.#pathOf(key));
      await syncFolder(this.#folder);
      return true;
    } catch (error) {
      const errno = errnoOf(error) ?? '';
      if (errno === 'EEXIST') return false;
      if (!NO_LINKS.has(errno)) throw error;
    }
    // Whoever needs to know reads it back.
    if ((await this.head(key)) !== undefined) return false;
    await publish(path, this.#folder, key);
    return true;
  }

  async #makeFolder(): Promise<void> {
    await this.#checkRoot();
    try {
      await mkdir(this.#folder, { mode: 0o700 });
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return;
      throw error;
    }
    await syncFolder(join(this.#folder, '..'));
  }

  async #checkRoot(): Promise<void> {
    const found = await unlessAbsent(() => stat(this.name));
    if (found?.isDirectory() === true) return;
    throw new IsyncError('STORE_MISSING', 'the folder for the backups is not there', {
      path: this.name,
      hint: 'Mount or make it; isync never makes it itself.',
    });
  }

  #pathOf(key: string): string {
    if (key === '' || key.startsWith('.') || key.includes('/') || key.includes('\0'))
      throw new IsyncError('BAD_PATH', 'this can be no file of a backup', { path: key });
    return join(this.#folder, key);
  }

  async #guard<T>(key: string | undefined, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw storeError(error, key === undefined ? this.#folder : join(this.#folder, key));
    }
  }
}

function objectOf(key: string, { ino, size, mtimeNs, ctimeNs }: BigIntStats): TargetObject {
  return {
    key,
    size: Number(size),
    modifiedMs: Number(mtimeNs / 1_000_000n),
    etag: `${ino}-${size}-${mtimeNs}-${ctimeNs}`,
  };
}

/** An id that can be no upload's is one that is gone. */
async function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (error instanceof IsyncError && error.code === 'MISSING') return undefined;
    throw error;
  }
}
