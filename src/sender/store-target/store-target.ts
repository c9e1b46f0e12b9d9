import { randomUUID } from 'node:crypto';
import { parseDeviceName } from '../../model/device-name.ts';
import { digestOf, type DigestAlgorithm } from '../../model/digest.ts';
import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { DeviceFolder } from '../../store/device-folder.ts';
import { readDigest } from '../../store/read-digest.ts';
import type { Store } from '../../store/store.ts';
import { Forgotten, SendQueue, type PutJob, type Size } from '../send-queue.ts';
import type { RateLimiter } from '../../flow/rate-limiter.ts';
import { retrying, type RetryPolicy } from '../../flow/retry.ts';
import { TaskGroup } from '../../flow/task-group.ts';
import {
  FILES_IN_FLIGHT,
  type LookOptions,
  type PutOptions,
  type Receipt,
  type SourceFile,
  type Target,
  type TargetIdentity,
  type TargetRecord,
  type TargetTraits,
} from '../target.ts';
import { otherStore } from '../other-store.ts';
import { copyLarge } from './copy-large.ts';

/** Files under way at a time unless told: enough small ones to share an fsync of their folder, few large per disk. */
const DISK_MOST: Readonly<Record<Size, number>> = { small: 64, large: 2 };
/** Files looked at together. */
const LOOKS_AT_ONCE = 32;
/** Reading small files may hold up the event loop for so long, in ms. */
const SLICE_MS = 8;

export interface StoreTargetOptions {
  readonly device: string;
  readonly digest: DigestAlgorithm;
  /** Keep files that a power cut seems to have damaged, too. Default false. */
  readonly replaceDamaged?: boolean | undefined;
  readonly retry: RetryPolicy;
  readonly limiter?: RateLimiter | undefined;
  /** Files under way at a time. Default: what suits a disk. */
  readonly most?: Readonly<Record<Size, number>> | undefined;
  /** Called each time the store refuses a file for now, with the reason. Must not throw. */
  readonly onRetry?: ((error: IsyncError) => void) | undefined;
  /** Resolves when another process has taken over: all is rejected with that error then, now and later. */
  readonly fenced?: Promise<IsyncError> | undefined;
  /** Rejects everything, now and later, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A store of this process as a target, laid out as a receiver would: STORE/DEVICE/DATA-DIRECTORY/…. It uses the store
 * and leaves closing it to its owner.
 */
export function createStoreTarget(store: Store, options: StoreTargetOptions): Target {
  return new StoreTarget(store, options);
}

class StoreTarget implements Target {
  readonly traits: TargetTraits;
  readonly refused: Promise<IsyncError>;
  readonly #store: Store;
  readonly #options: StoreTargetOptions;
  readonly #folder: DeviceFolder;
  readonly #most: Readonly<Record<Size, number>>;
  readonly #queue: SendQueue;
  readonly #closing = new AbortController();
  /** By the caller's signal, of which a scan has one for all its calls. */
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  /** Tells this target from all others, also those of an earlier process. */
  readonly #process = randomUUID();
  readonly #running: Record<Size, number> = { small: 0, large: 0 };
  readonly #work = new TaskGroup();
  /** As it was when last asked for. */
  #identity: TargetIdentity | undefined;
  #identifying: Promise<TargetIdentity> | undefined;
  /** Looks and seals that the store is answering. */
  #attempts = 0;
  #sliceEnd = 0;

  constructor(store: Store, options: StoreTargetOptions) {
    this.#store = store;
    this.#options = options;
    const { device, digest, replaceDamaged = false } = options;
    this.traits = { device, digest, filesInFlight: FILES_IN_FLIGHT, replaceDamaged };
    this.#folder = new DeviceFolder(parseDeviceName(device));
    this.#most = options.most ?? DISK_MOST;
    this.#queue = new SendQueue(options.retry, options.onRetry);
    this.#queue.onReady = () => this.#start();
    const { fenced = new Promise<never>(() => undefined), signal } = options;
    this.refused = fenced.then((error) => {
      this.#close(error);
      return error;
    });
    if (signal?.aborted === true) this.#close(signal.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  async identify({ signal }: Abortable = {}): Promise<TargetIdentity> {
    return this.#retrying(() => this.#identify(), signal);
  }

  get stalled(): boolean {
    return this.#attempts === 0 && this.#queue.stalled;
  }

  put(file: SourceFile, options?: PutOptions): Promise<Receipt> {
    return this.#queue.put(file, options);
  }

  async look(
    paths: readonly RelPath[],
    options: LookOptions = {},
  ): Promise<readonly (TargetRecord | undefined)[]> {
    const { store, signal } = options;
    const records: (TargetRecord | undefined)[] = [];
    for (let at = 0; at < paths.length; at += LOOKS_AT_ONCE) {
      const some = paths.slice(at, at + LOOKS_AT_ONCE).map((path) => this.#lookAt(path, options));
      records.push(...(await Promise.all(some)));
    }
    if (store === undefined) return records;
    // Asked anew and last: an answer that was under way may be older than what was read.
    const { id } = await this.#retrying(() => this.#store.identity({ signal: this.#either(signal) }), signal);
    if (id !== store) throw otherStore();
    return records;
  }

  async retiredAt(directory: RelPath, { signal }: Abortable = {}): Promise<number | undefined> {
    const place = this.#folder.place(directory);
    return this.#retrying(async () => this.#store.retirements?.retiredAt(place), signal);
  }

  async *list(prefix: RelPath | '', { signal }: Abortable = {}): AsyncIterable<FileEntry> {
    const listed = this.#store.list(this.#folder.place(prefix), { signal: this.#either(signal) });
    for await (const entry of listed) yield { ...entry, path: this.#folder.nameOf(entry.path) };
  }

  async seal(directory: RelPath, marker: SourceFile | undefined, options: Abortable = {}): Promise<void> {
    if (marker !== undefined) await this.put(marker, { ...options, priority: 'live' });
    await this.#retrying(async () => {
      await this.#store.sync(this.#folder.place(directory), { signal: this.#either(options.signal) });
      await this.#identify();
    }, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close(new IsyncError('INTERRUPTED', 'the target was closed'));
    await this.#work.idle();
  }

  readonly #onAbort = () => this.#close(this.#options.signal?.reason);

  #close(reason: unknown): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#closing.abort(reason);
    this.#queue.close(reason);
  }

  #either(signal: AbortSignal | undefined): AbortSignal {
    if (signal === undefined) return this.#closing.signal;
    let either = this.#combined.get(signal);
    if (either === undefined) {
      either = AbortSignal.any([signal, this.#closing.signal]);
      this.#combined.set(signal, either);
    }
    return either;
  }

  #retrying<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const counted = async (): Promise<T> => {
      this.#attempts++;
      try {
        return await attempt();
      } finally {
        this.#attempts--;
      }
    };
    return retrying(counted, this.#options.retry, { signal: this.#either(signal) });
  }

  async #identify(): Promise<TargetIdentity> {
    this.#identifying ??= this.#askStore().finally(() => (this.#identifying = undefined));
    return this.#identifying;
  }

  async #askStore(): Promise<TargetIdentity> {
    const { id } = await this.#store.identity({ signal: this.#closing.signal });
    const { listedMtime } = this.#store.capabilities;
    this.#identity = { store: id, incarnation: JSON.stringify([id, this.#process]), listedMtime };
    return this.#identity;
  }

  async #lookAt(
    path: RelPath,
    { digest = false, keptDigest, signal }: LookOptions,
  ): Promise<TargetRecord | undefined> {
    const where = this.#folder.place(path);
    return this.#retrying(async () => {
      if (digest) {
        const found = await readDigest(this.#store, where, this.traits.digest, { signal, keptDigest });
        return found && { entry: { ...found.entry, path }, digest: found.digest };
      }
      const entry = await this.#store.stat(where, { signal });
      return entry && { entry: { ...entry, path }, digest: undefined };
    }, signal);
  }

  /** Starts what may run, live files first. */
  #start(): void {
    for (const live of [true, false])
      for (const size of ['small', 'large'] as const)
        while (this.#running[size] < this.#most[size]) {
          const job = this.#queue.take(live, size);
          if (job === undefined) break;
          this.#run(job);
        }
  }

  #run(job: PutJob): void {
    this.#running[job.size]++;
    const ran = async () => {
      try {
        // As it was before: a store that is swapped meanwhile may not have the file.
        const { incarnation } = this.#identity ?? (await this.#identify());
        this.#queue.kept(job, await this.#copy(job), incarnation);
      } catch (error) {
        this.#queue.failed(job, toIsyncError(error, 'INTERNAL', { path: job.file.entry.path }));
      }
      this.#running[job.size]--;
      this.#start();
    };
    this.#work.add(ran());
  }

  async #copy(job: PutJob): Promise<Buffer> {
    const { limiter } = this.#options;
    const { digest: algorithm, replaceDamaged } = this.traits;
    const { entry } = job.file;
    const kept = { ...entry, path: this.#folder.place(entry.path) };
    const { signal } = this.#closing;
    if (job.size === 'large')
      return copyLarge(job, this.#store, kept, { algorithm, replaceDamaged, limiter, signal });
    await limiter?.ready({ signal });
    await this.#turn();
    if (job.settled) throw new Forgotten();
    const content = job.file.readWhole();
    limiter?.spend(content.length);
    const value = digestOf(algorithm, content);
    await this.#store.put(kept, content, { algorithm, value }, { replaceDamaged });
    job.sent(content.length);
    return value;
  }

  /** Lets the event loop breathe between synchronous reads. */
  async #turn(): Promise<void> {
    if (performance.now() < this.#sliceEnd) return;
    await new Promise(setImmediate);
    this.#sliceEnd = performance.now() + SLICE_MS;
  }
}
