import type { FileHandle } from 'node:fs/promises';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import { checkDigest } from '../check-digest.ts';
import type { ZeroWatch } from '../rules/damage-rule.ts';
import type { UploadBody } from '../store-upload.ts';
import type { Append } from './appender.ts';
import type { FreeSpace } from './free-space.ts';
import type { StagedFile } from './publisher.ts';
import { discard } from './stage-file.ts';
import { stamp, type Stamping } from './stamp.ts';
import { storeError } from './system-errors.ts';

/** Bytes written between two fdatasyncs in the background: the fsync at the end has not much more than this to do. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/** What an upload is made of, and what it needs of its store. */
export interface FileBodyParts {
  readonly file: FileEntry;
  readonly algorithm: DigestAlgorithm;
  /** Has seen the bytes up to `offset`. */
  readonly digester: ZeroWatch;
  readonly offset: number;
  readonly handle: FileHandle;
  readonly path: string;
  readonly space: FreeSpace;
  readonly stamping: Stamping;
  readonly append: Append;
  /** Names the finished file; see Publisher. */
  readonly publish: (file: Omit<StagedFile, 'replaceDamaged'>) => Promise<void>;
  /** Keeps the part for a later upload. */
  readonly release: (path: string) => Promise<void>;
}

/** The bytes of an upload in a part file that this process alone has; see parts.ts. */
export class FileBody implements UploadBody {
  readonly #parts: FileBodyParts;
  #offset: number;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  /** Why nothing more can be written or published. */
  #failure: IsyncError | undefined;
  /** Whether a sync has failed: nobody knows then what the disk holds of the bytes, and no later sync would tell. */
  #damaged = false;

  constructor(parts: FileBodyParts) {
    this.#parts = parts;
    this.#offset = parts.offset;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    const { file, space } = this.#parts;
    this.#checkSound();
    const length = chunks.reduce((sum, bytes) => sum + bytes.length, 0);
    space.take(length, file.path);
    await this.#append(chunks, length);
    this.#checkSound();
  }

  #checkSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Never rejects: `write` tells. */
  async #append(chunks: readonly Uint8Array[], length: number): Promise<void> {
    const { handle, digester, file, append } = this.#parts;
    try {
      const written = append(handle, chunks, this.#offset);
      // While the thread pool writes.
      for (const bytes of chunks) digester.update(bytes);
      await written;
    } catch (error) {
      this.#failure ??= storeError(error, file.path);
      return;
    }
    this.#offset += length;
    this.#unsynced += length;
    if (this.#unsynced >= SYNC_EVERY_BYTES) this.#syncing ??= this.#syncInBackground();
  }

  async #syncInBackground(): Promise<void> {
    this.#unsynced = 0;
    await this.#sync(() => this.#parts.handle.datasync());
    this.#syncing = undefined;
  }

  /** Never rejects. */
  async #sync(sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (error) {
      this.#damaged = true;
      this.#failure ??= storeError(error, this.#parts.file.path);
    }
  }

  async publish(digest: Uint8Array): Promise<void> {
    const { file, algorithm, digester, handle, path, publish, stamping } = this.#parts;
    try {
      await this.#syncing;
      this.#checkSound();
      checkDigest(file, this.#offset, digester.digest(), digest);
      stamp(handle.fd, file, stamping);
      await this.#sync(() => handle.sync());
      this.#checkSound();
      await handle.close();
      const { allZeros } = digester;
      await publish({ file, digest: { algorithm, value: digest }, allZeros, staged: path });
    } catch (error) {
      const reason = storeError(error, file.path);
      // The bytes are of use again only if they are right and what is wrong is elsewhere.
      await this.letGo(reason.code === 'STORE_FULL' || reason.code === 'STORE_FAILED').catch(() => {
        // The reason is what counts; the part is collected after this process.
      });
      throw reason;
    }
  }

  async letGo(keep: boolean): Promise<void> {
    const { handle, path, release, file } = this.#parts;
    try {
      await this.#syncing;
      await handle.close();
      if (keep && !this.#damaged && this.#offset > 0) await release(path);
      else await discard(path);
    } catch (error) {
      throw storeError(error, file.path);
    }
  }
}
