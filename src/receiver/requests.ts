import type { DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError, toIsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import { MAX_PATHS_PER_MESSAGE } from '../protocol/limits.ts';
import type { List, Look, LookedFile, Read, Retired, Seal } from '../protocol/messages.ts';
import { readDigest } from '../store/read-digest.ts';
import type { Store } from '../store/store.ts';
import { protocolViolation } from './protocol-violation.ts';
import type { DeviceFolder } from '../store/device-folder.ts';
import type { HighWaterMark } from '../flow/high-water-mark.ts';
import { Limiter } from '../flow/limiter.ts';
import { ANSWERS, PartReader } from './part-reader.ts';
import type { Replies } from './replies.ts';
import { MESSAGE_COST } from './receiver-limits.ts';
import type { Log } from '../model/log.ts';
import { TaskGroup } from '../flow/task-group.ts';

/** LOOKs with digest that a session handles at a time: each reads one file after the other, at the disk's speed. */
const MAX_DIGEST_LOOKS = 2;
/** READs that a session handles at a time: one is read while the answer of the other leaves. Each holds up to MAX_READ_BYTES. */
const MAX_READS = 2;
/** Other requests that a session handles at a time: enough to hide the disk's latency, few enough to stay fair. */
const MAX_OTHER_REQUESTS = 4;
/** Paths of one LOOK that are looked up at a time: enough to keep the thread pool busy. Each costs a stat per folder. */
const MAX_STATS = 32;

export interface RequestsOptions {
  readonly store: Store;
  /** Id of the store as WELCOME told it; undefined where WELCOME told none. */
  readonly storeId: string | undefined;
  /** Called in place of an answer to SEAL, or to LOOK with digest, when the store now has another id. */
  readonly onOtherStore: () => void;
  /** Resolves to whether a file that has come is kept, once its sender has been told. @throws IsyncError PROTOCOL where it has not come */
  readonly isKept: (id: number) => Promise<boolean>;
  /** Called when a directory is sealed, before its sender is told. */
  readonly onSealed: (directory: RelPath) => void;
  readonly folder: DeviceFolder;
  readonly algorithm: DigestAlgorithm;
  /** Open requests at a time. */
  readonly maxOpen: number;
  readonly replies: Replies;
  /** Counts the memory of open requests. */
  readonly pending: HighWaterMark;
  readonly log: Log;
  /** Fires when the session is over and answers have nowhere to go. */
  readonly signal: AbortSignal;
}

/** Answers LOOK, RETIRED, LIST, SEAL and READ of a session. Each method throws IsyncError PROTOCOL where the message breaks a rule. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #open = new Set<number>();
  readonly #digestLooks = new Limiter(MAX_DIGEST_LOOKS);
  readonly #others = new Limiter(MAX_OTHER_REQUESTS);
  readonly #reads = new Limiter(MAX_READS);
  /** Node hands several answers to the system as one, and on a thin link tells of none for minutes, as if nothing were read. */
  readonly #contents = new Limiter(1);
  readonly #parts: PartReader;
  readonly #tasks = new TaskGroup();

  constructor(options: RequestsOptions) {
    this.#options = options;
    this.#parts = new PartReader(options);
  }

  look({ request, digest, paths }: Look): void {
    const cost = paths.reduce((sum, path) => sum + 2 * path.length, 0);
    this.#accept(request, cost, digest ? this.#digestLooks : this.#others, async () => {
      const files = digest ? await this.#digestAll(paths) : await this.#statAll(paths);
      // A sender may remove its own file for this answer: it must not be told of the files of another store. Where WELCOME
      // told no store, no sender does.
      const isReliedOn = digest && this.#options.storeId !== undefined;
      if (isReliedOn && (await this.#isOtherStore())) return this.#options.onOtherStore();
      this.#open.delete(request);
      this.#options.replies.send({ type: 'looked', request, files });
    });
  }

  retired({ request, directory }: Retired): void {
    this.#accept(request, 2 * directory.length, this.#others, async () => {
      const { store, folder } = this.#options;
      const place = folder.find(directory);
      const atMs = place && (await store.retirements?.retiredAt(place));
      this.#open.delete(request);
      const atUs = atMs === undefined ? undefined : Math.round(atMs * 1000);
      this.#options.replies.send({ type: 'retirement', request, atUs });
    });
  }

  list({ request, prefix }: List): void {
    this.#accept(request, 2 * prefix.length, this.#others, () => this.#sendPages(request, prefix));
  }

  seal({ request, behind, directory }: Seal): void {
    // From now on: what comes later is none of its business. It waits at no limit, or others would wait for a slow store as well.
    const kept = behind === undefined ? undefined : this.#options.isKept(behind);
    const seal = async (): Promise<void> => {
      if ((await kept) === false) throw notKept(directory);
      const place = this.#options.folder.find(directory);
      if (place === undefined) throw new IsyncError('BAD_PATH', 'the path is too long', { path: directory });
      const { store, signal } = this.#options;
      await store.sync(place, { signal });
      // The store may have been swapped: then the files that were acknowledged are in the old one.
      if (await this.#isOtherStore()) return this.#options.onOtherStore();
      if (await this.#holds(place)) this.#options.onSealed(directory);
      this.#open.delete(request);
      this.#options.replies.send({ type: 'sealed', request });
    };
    this.#accept(request, 2 * directory.length, this.#others, seal, kept);
  }

  /** The content is held until the answer has left, so that one who asks and does not listen is not read for any further. */
  read(message: Read): void {
    const { request, ranges } = message;
    const cost = ranges.reduce((sum, { path }) => sum + 2 * path.length, 0);
    const bytes = ranges.reduce((sum, { length }) => sum + length, 0);
    const { pending, replies, signal } = this.#options;
    this.#accept(request, cost, this.#reads, async () => {
      pending.add(bytes);
      let isReused = false;
      try {
        const answer = await this.#parts.answer(message);
        await this.#contents.run(async () => {
          // What the end of the session has cut is not missing.
          if (signal.aborted) return;
          this.#open.delete(request);
          await replies.sendBytes(answer, ANSWERS.lends(answer) ? 0 : undefined);
          // Else the link that is closed may still hold it.
          if (!signal.aborted) isReused = ANSWERS.giveBack(answer);
        });
      } finally {
        pending.remove(bytes, isReused ? 0 : bytes);
      }
    });
  }

  idle(): Promise<void> {
    return this.#tasks.idle();
  }

  /** @param before what to wait for first; it never rejects */
  #accept(
    request: number,
    cost: number,
    limiter: Limiter,
    answer: () => Promise<void>,
    before?: Promise<unknown>,
  ): void {
    if (this.#open.has(request)) throw protocolViolation(`the request number ${request} is in use`);
    if (this.#open.size >= this.#options.maxOpen) throw protocolViolation('too many open requests');
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
    const run = (): Promise<void> => limiter.run(step);
    const running = before === undefined ? run() : before.then(run);
    this.#tasks.add(running.finally(() => pending.remove(cost + MESSAGE_COST)));
  }

  /** Whether a file is below the place: a seal can be asked for whatever name. */
  async #holds(place: RelPath): Promise<boolean> {
    const { store, signal } = this.#options;
    for await (const _ of store.list(place, { signal })) return true;
    return false;
  }

  /** Whether the store has another id by now than WELCOME told. */
  async #isOtherStore(): Promise<boolean> {
    const { store, storeId, signal } = this.#options;
    return (await store.identity({ signal })).id !== storeId;
  }

  #fail(request: number, error: unknown): void {
    this.#open.delete(request);
    if (this.#options.signal.aborted) return;
    // A store rejects with IsyncError only; anything else is a bug, so log it.
    if (!(error instanceof IsyncError)) this.#options.log.error('fault in the store', { err: error });
    const { code, message, retryable } = toIsyncError(error, 'INTERNAL', { retryable: true });
    this.#options.replies.send({ type: 'failed', request, retryable, code, message });
  }

  async #statAll(paths: readonly RelPath[]): Promise<(LookedFile | undefined)[]> {
    const files: (LookedFile | undefined)[] = [];
    for (let at = 0; at < paths.length; at += MAX_STATS) {
      const entries = await Promise.all(paths.slice(at, at + MAX_STATS).map((path) => this.#stat(path)));
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

  /** Sends a page when the one before has left, so that a slow reader costs no memory. */
  async #sendPages(request: number, prefix: RelPath | ''): Promise<void> {
    const { store, folder, replies, signal } = this.#options;
    let files: FileEntry[] = [];
    const place = folder.find(prefix);
    if (place !== undefined) {
      for await (const { path, size, mtimeUs } of store.list(place, { signal })) {
        if (files.length === MAX_PATHS_PER_MESSAGE) {
          await replies.sendAndWait({ type: 'listed', request, last: false, files });
          files = [];
        }
        files.push({ path: folder.nameOf(path), size, mtimeUs });
      }
    }
    this.#open.delete(request);
    replies.send({ type: 'listed', request, last: true, files });
  }
}

function notKept(directory: RelPath): IsyncError {
  return new IsyncError('STORE_REFUSED', 'the file that the seal stands behind was not kept', {
    path: directory,
    retryable: true,
  });
}
