import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { firstSegment, parseRelPath, type RelPath } from '../../model/rel-path.ts';
import type { BeginOptions, FileDigest, PublishOptions, Store, Upload } from '../store.ts';
import { StoreDecorator } from './store-decorator.ts';

/** How old a count must be, in ms, before a device that is full is counted again: somebody may have made room. */
const RECOUNT_MS = 60_000;
/** Devices whose count is remembered; another one costs a listing of what it has. */
const MAX_ACCOUNTS = 1024;

/**
 * `store` with at most `bytesPerDevice` bytes of files for each device, which is the first segment of a path. What a
 * device has is counted by a listing when it first puts something, and kept up to date from then on; a file that
 * replaces another counts only by what it is larger. Uploads under way count in full, so that no two of them
 * together go beyond. Refuses with STORE_FULL (retryable), and with FILE_TOO_LARGE what could never fit.
 */
export function withQuota(store: Store, bytesPerDevice: number, options: QuotaOptions = {}): Store {
  return new QuotaStore(store, bytesPerDevice, options);
}

export interface QuotaOptions {
  /**
   * Age in ms at which a count is made anew, for stores that other receivers fill too: what a device puts through
   * them is known only then, or once the device seems full. Default: never.
   */
  readonly recountMs?: number | undefined;
}

class QuotaStore extends StoreDecorator {
  readonly #quota: number;
  readonly #recountMs: number;
  /** By device. */
  readonly #accounts = new Map<string, Account>();

  constructor(store: Store, quota: number, { recountMs = Infinity }: QuotaOptions) {
    super(store);
    this.#quota = quota;
    this.#recountMs = recountMs;
  }

  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    const reservation = await this.#reserve(file);
    await reservation.keep(() => this.store.put(file, bytes, digest, options));
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const reservation = await this.#reserve(file);
    try {
      return new CountedUpload(await this.store.begin(file, options), reservation);
    } catch (error) {
      reservation.release();
      throw error;
    }
  }

  async #reserve(file: FileEntry): Promise<Reservation> {
    if (file.size > this.#quota)
      throw new IsyncError('FILE_TOO_LARGE', `a device may have ${this.#quota} bytes in all`, {
        path: file.path,
      });
    const growth = file.size - (await this.#sizeOf(file.path));
    const account = this.#accountOf(file.path);
    await account.reserve(growth, file.path);
    return new Reservation(account, growth, file, () => this.#sizeOf(file.path));
  }

  async #sizeOf(path: RelPath): Promise<number> {
    return (await this.store.stat(path))?.size ?? 0;
  }

  #accountOf(path: RelPath): Account {
    const device = firstSegment(path);
    const known = this.#accounts.get(device);
    if (known !== undefined) return known;
    if (this.#accounts.size >= MAX_ACCOUNTS) this.#forgetIdle();
    const account = new Account(this.#quota, this.#recountMs, () => this.#count(device));
    this.#accounts.set(device, account);
    return account;
  }

  #forgetIdle(): void {
    for (const [device, account] of this.#accounts) if (account.idle) this.#accounts.delete(device);
  }

  async #count(device: string): Promise<number> {
    let bytes = 0;
    for await (const { size } of this.store.list(parseRelPath(device))) bytes += size;
    return bytes;
  }
}

/** What one device has, and is about to have. */
class Account {
  readonly #quota: number;
  readonly #recountMs: number;
  readonly #count: () => Promise<number>;
  #used = 0;
  #reserved = 0;
  #users = 0;
  #counting: Promise<void> | undefined;
  #countedAt = -Infinity;
  /** Growth while a count was under way, which that may have missed. */
  #grown = 0;

  constructor(quota: number, recountMs: number, count: () => Promise<number>) {
    this.#quota = quota;
    this.#recountMs = recountMs;
    this.#count = count;
  }

  get idle(): boolean {
    return this.#users === 0;
  }

  /** @throws IsyncError STORE_FULL */
  async reserve(growth: number, path: RelPath): Promise<void> {
    this.#users++;
    try {
      await this.#countIfOlderThan(this.#recountMs);
      if (!this.#has(growth)) await this.#countIfOlderThan(RECOUNT_MS);
      if (!this.#has(growth)) throw this.#full(path);
    } catch (error) {
      this.#users--;
      throw error;
    }
    this.#reserved += Math.max(0, growth);
  }

  /** The end of what `reserve` began. */
  release(growth: number): void {
    this.#users--;
    this.#reserved -= Math.max(0, growth);
  }

  changed(bytes: number): void {
    this.#used += bytes;
    // Shrinking is left out: should the count have seen it, it would count twice and make room that is not there.
    if (this.#counting !== undefined) this.#grown += Math.max(0, bytes);
  }

  #has(growth: number): boolean {
    return growth <= 0 || this.#used + this.#reserved + growth <= this.#quota;
  }

  #full(path: RelPath): IsyncError {
    return new IsyncError('STORE_FULL', `the device has used its quota of ${this.#quota} bytes`, {
      path,
      hint: 'Raise --quota, or remove files of the device from the store; within about a minute it goes on.',
    });
  }

  async #countIfOlderThan(ms: number): Promise<void> {
    const known = this.#countedAt !== -Infinity;
    if (known && performance.now() - this.#countedAt < ms) return;
    this.#counting ??= this.#recount();
    await this.#counting;
  }

  async #recount(): Promise<void> {
    this.#grown = 0;
    try {
      this.#used = (await this.#count()) + this.#grown;
      this.#countedAt = performance.now();
    } finally {
      this.#counting = undefined;
    }
  }
}

/** Room for one file, until it is kept or not. */
class Reservation {
  readonly #account: Account;
  readonly #growth: number;
  readonly #file: FileEntry;
  readonly #sizeNow: () => Promise<number>;
  #released = false;

  constructor(account: Account, growth: number, file: FileEntry, sizeNow: () => Promise<number>) {
    this.#account = account;
    this.#growth = growth;
    this.#file = file;
    this.#sizeNow = sizeNow;
  }

  /** Runs `publish`, and counts the file if that succeeds. */
  async keep(publish: () => Promise<void>): Promise<void> {
    try {
      const before = await this.#sizeNow();
      await publish();
      this.#account.changed(this.#file.size - before);
    } finally {
      this.release();
    }
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#account.release(this.#growth);
  }
}

class CountedUpload implements Upload {
  readonly #upload: Upload;
  readonly #reservation: Reservation;

  constructor(upload: Upload, reservation: Reservation) {
    this.#upload = upload;
    this.#reservation = reservation;
  }

  get offset(): number {
    return this.#upload.offset;
  }

  write(...chunks: readonly Uint8Array[]): Promise<void> {
    return this.#upload.write(...chunks);
  }

  commit(digest: Uint8Array): Promise<void> {
    return this.#reservation.keep(() => this.#upload.commit(digest));
  }

  abort(): Promise<void> {
    return this.#upload.abort().finally(() => this.#reservation.release());
  }

  suspend(): Promise<void> {
    return this.#upload.suspend().finally(() => this.#reservation.release());
  }
}
