import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { MAX_PATHS_PER_MESSAGE } from '../protocol/limits.ts';
import type { List, Look, LookedFile, Seal } from '../protocol/messages.ts';
import { readDigest } from '../store/read-digest.ts';
import type { Store } from '../store/store.ts';
import { brokenRule } from './broken-rule.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';
import { Limiter } from '../flow/limiter.ts';
import type { Replies } from './replies.ts';
import { MESSAGE_COST } from './receiver-limits.ts';
import type { ReceiverLog } from './receiver-log.ts';
import { WorkSet } from './work-set.ts';

/** LOOKs with digest that a session works on at a time: each reads one file after the other, at the disk's speed. */
const DIGEST_LOOKS_AT_WORK = 2;
/** Other requests that a session works on at a time: enough to hide the disk's latency, few enough to stay fair. */
const REQUESTS_AT_WORK = 4;
/** Paths of one LOOK that are looked at together: enough to keep the thread pool busy. Each takes a look per folder. */
const LOOKS_TOGETHER = 32;

export interface RequestsOptions {
  readonly store: Store;
  /** Of the store, as the sender was told; undefined where it was told none. */
  readonly storeId: string | undefined;
  /** Called instead of an answer when the store is another one now. */
  readonly onOtherStore: () => void;
  readonly folder: DeviceFolder;
  readonly algorithm: DigestAlgorithm;
  /** Requests that may be open at a time. */
  readonly most: number;
  readonly replies: Replies;
  /** Counts what open requests take in memory. */
  readonly pending: HighWaterMark;
  readonly log: ReceiverLog;
  /** Fires when nobody waits for answers any more. */
  readonly signal: AbortSignal;
}

/** LOOK, LIST and SEAL of a session. Each method throws IsyncError PROTOCOL where the message breaks a rule. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #open = new Set<number>();
  readonly #digestLooks = new Limiter(DIGEST_LOOKS_AT_WORK);
  readonly #others = new Limiter(REQUESTS_AT_WORK);
  readonly #work = new WorkSet();

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  look({ request, digest, paths }: Look): void {
    const cost = paths.reduce((sum, path) => sum + 2 * path.length, 0);
    this.#accept(request, cost, digest ? this.#digestLooks : this.#others, async () => {
      const files = digest ? await this.#digestAll(paths) : await this.#statAll(paths);
      this.#open.delete(request);
      this.#options.replies.say({ type: 'looked', request, files });
    });
  }

  list({ request, prefix }: List): void {
    this.#accept(request, 2 * prefix.length, this.#others, () => this.#sendPages(request, prefix));
  }

  seal({ request, directory }: Seal): void {
    this.#accept(request, 2 * directory.length, this.#others, async () => {
      const place = this.#options.folder.find(directory);
      if (place === undefined) throw new IsyncError('BAD_PATH', 'the path is too long', { path: directory });
      const { store, signal } = this.#options;
      await store.sync(place, { signal });
      // What the sender has been told to be durable may be in the store that was there before.
      const { id } = await store.identity({ signal });
      if (id !== this.#options.storeId) return this.#options.onOtherStore();
      this.#open.delete(request);
      this.#options.replies.say({ type: 'sealed', request });
    });
  }

  idle(): Promise<void> {
    return this.#work.idle();
  }

  #accept(request: number, cost: number, limiter: Limiter, answer: () => Promise<void>): void {
    if (this.#open.has(request)) throw brokenRule(`the request number ${request} is in use`);
    if (this.#open.size >= this.#options.most) throw brokenRule('too many open requests');
    this.#open.add(request);
    const step = async (): Promise<void> => {
      if (this.#options.signal.aborted) return;
      try {
        await answer();
      } catch (error) {
        this.#fail(request, error);
      }
    };
    const { pending } = this.#options;
    pending.add(cost + MESSAGE_COST);
    this.#work.add(limiter.run(step).finally(() => pending.remove(cost + MESSAGE_COST)));
  }

  #fail(request: number, error: unknown): void {
    this.#open.delete(request);
    if (this.#options.signal.aborted) return;
    // A store rejects with IsyncError only: anything else is a fault of ours, to be found in the log.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { err: error });
    const { code, message, retryable } = toIsyncError(error, 'INTERNAL', { retryable: true });
    this.#options.replies.say({ type: 'failed', request, retryable, code, message });
  }

  async #statAll(paths: readonly RelPath[]): Promise<(LookedFile | undefined)[]> {
    const files: (LookedFile | undefined)[] = [];
    for (let at = 0; at < paths.length; at += LOOKS_TOGETHER) {
      const entries = await Promise.all(paths.slice(at, at + LOOKS_TOGETHER).map((path) => this.#stat(path)));
      for (const entry of entries)
        files.push(entry && { size: entry.size, mtimeUs: entry.mtimeUs, digest: undefined });
    }
    return files;
  }

  async #digestAll(paths: readonly RelPath[]): Promise<(LookedFile | undefined)[]> {
    const { store, folder, algorithm, signal } = this.#options;
    const files: (LookedFile | undefined)[] = [];
    for (const path of paths) {
      const place = folder.find(path);
      const found = place && (await readDigest(store, place, algorithm, { signal }));
      files.push(found && { size: found.entry.size, mtimeUs: found.entry.mtimeUs, digest: found.digest });
    }
    return files;
  }

  async #stat(path: RelPath): Promise<FileEntry | undefined> {
    const place = this.#options.folder.find(path);
    return place && this.#options.store.stat(place, { signal: this.#options.signal });
  }

  /** One page after the other, each only when the one before has left: a slow reader costs no memory. */
  async #sendPages(request: number, prefix: RelPath | ''): Promise<void> {
    const { store, folder, replies, signal } = this.#options;
    let files: FileEntry[] = [];
    const place = folder.find(prefix);
    if (place !== undefined) {
      for await (const { path, size, mtimeUs } of store.list(place, { signal })) {
        if (files.length === MAX_PATHS_PER_MESSAGE) {
          await replies.sayAndWait({ type: 'listed', request, last: false, files });
          files = [];
        }
        files.push({ path: folder.nameOf(path), size, mtimeUs });
      }
    }
    this.#open.delete(request);
    replies.say({ type: 'listed', request, last: true, files });
  }
}
