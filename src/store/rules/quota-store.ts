import { PathOrder } from '../../flow/path-order.ts';
import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { firstSegment, parseRelPath, type RelPath } from '../../model/rel-path.ts';
import type { BeginOptions, FileDigest, PublishOptions, Store, Upload } from '../store.ts';
import { StoreDecorator } from './store-decorator.ts';

/** Age in ms from which a count is taken anew when the device seems full: somebody may have made room. */
const RECOUNT_MS = 60_000;
/** Devices whose count is remembered. A forgotten one costs a listing of its files. */
const MAX_ACCOUNTS = 1024;

/**
 * `store` with at most `bytesPerDevice` bytes of files for each device, which is the first segment of a path. A listing
 * counts what a device has when it first puts something; from then on the count is kept up to date. A replacement counts
 * only for the bytes it adds, and a removal gives its bytes back. Uploads under way count in full, so that several
 * together can't exceed the quota. Refuses with STORE_FULL (retryable), and with FILE_TOO_LARGE what could never fit.
 */
export function withQuota(store: Store, bytesPerDevice: number, options: QuotaOptions = {}): Store {
  return new QuotaStore(store, bytesPerDevice, options);
}

export interface QuotaOptions {
  /**
   * Age in ms at which a count is taken anew, for stores that other receivers fill too: their files are counted only then,
   * or once the device seems full. Default: never.
   */
  readonly recountMs?: number | undefined;
}

class QuotaStore extends StoreDecorator {
  readonly #quota: number;
  readonly #recountMs: number;
  /** So that no two changes of one path count the same bytes. */
  readonly #changes = new PathOrder();
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

  override async remove(path: RelPath, options?: Abortable): Promise<void> {
    await this.#changes.run(path, async () => {
      const bytes = await this.#sizeOf(path);
      await this.store.remove(path, options);
      // Without an account nothing has been counted yet.
      this.#accounts.get(firstSegment(path))?.changed(-bytes);
    });
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
    return new Reservation(account, growth, async (publish) =>
      this.#changes.run(file.path, async () => {
        const before = await this.#sizeOf(file.path);
        await publish();
        account.changed(file.size - before);
      }),
    );
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

/** The bytes that one device has, and those it is about to add. */
class Account {
  readonly #quota: number;
  readonly #recountMs: number;
  readonly #count: () => Promise<number>;
  #used = 0;
  #reserved = 0;
  #users = 0;
  #counting: Promise<void> | undefined;
  #countedAt = -Infinity;
  /** Bytes added while a count was under way, which it may have missed. */
  #grown = 0;

  constructor(quota: number, recountMs: number, count: () => Promise<number>) {
    this.#quota = quota;
    this.#recountMs = recountMs;
    this.#count = count;
  }

  get idle(): boolean {
    return this.#users === 0;
  }

  /**
   * Holds room for `growth` bytes; end it with {@link release}.
   * @throws IsyncError STORE_FULL
   */
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

  /** Gives back what `reserve` took. */
  release(growth: number): void {
    this.#users--;
    this.#reserved -= Math.max(0, growth);
  }

  /** Counts bytes that came, or went when negative. */
  changed(bytes: number): void {
    this.#used += bytes;
    // Not the bytes that went: if the count has seen that already, they would go twice and make room that is not there.
    if (this.#counting !== undefined) this.#grown += Math.max(0, bytes);
  }

  #has(growth: number): boolean {
    return growth <= 0 || this.#used + this.#reserved + growth <= this.#quota;
  }

  #full(path: RelPath): IsyncError {
    return new IsyncError('STORE_FULL', `the device has used its quota of ${this.#quota} bytes`, {
      path,
      hint: 'Raise the quota, or remove files of the device from the store; within about a minute it goes on.',
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

/** Room for one file, held until the file is kept or given up. */
class Reservation {
  readonly #account: Account;
  readonly #growth: number;
  readonly #counted: (publish: () => Promise<void>) => Promise<void>;
  #released = false;

  /** @param counted runs the publication, and counts the file if that succeeds */
  constructor(account: Account, growth: number, counted: (publish: () => Promise<void>) => Promise<void>) {
    this.#account = account;
    this.#growth = growth;
    this.#counted = counted;
  }

  /** Runs `publish`, and counts the file if that succeeds. */
  async keep(publish: () => Promise<void>): Promise<void> {
    try {
      await this.#counted(publish);
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
