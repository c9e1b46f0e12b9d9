import { setTimeout as sleep } from 'node:timers/promises';
import type { Abortable } from '../../src/model/abortable.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import type { RelPath } from '../../src/model/rel-path.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  PutOutcome,
  ReadOptions,
  Store,
  StoreCapabilities,
  StoredFile,
  StoreIdentity,
  Upload,
  WholeFile,
} from '../../src/store/store.ts';
import { putEach } from '../../src/store/put-each.ts';
import { LATE_MS, type BucketTrouble } from './bucket-trouble.ts';
import type { Random } from '../../harness/random.ts';

/** How many calls take time at all, and how much at most, in ms, both before and after they are done. */
const SLOW_SHARE = 0.1;
const SLOW_MS = 15;

/** A store that is reached over a network which takes its time, and in times of trouble has it. */
export class UnsteadyStore implements Store {
  readonly #store: Store;
  readonly #random: Random;
  readonly #trouble: () => BucketTrouble | undefined;

  constructor(store: Store, random: Random, trouble: () => BucketTrouble | undefined) {
    this.#store = store;
    this.#random = random;
    this.#trouble = trouble;
  }

  get capabilities(): StoreCapabilities {
    return this.#store.capabilities;
  }

  async identity(options?: Abortable): Promise<StoreIdentity> {
    return await this.#through(async () => await this.#store.identity(options));
  }

  async stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined> {
    return await this.#through(async () => await this.#store.stat(path, options));
  }

  async *list(prefix: RelPath | '', options?: Abortable): AsyncGenerator<FileEntry> {
    // As one answer: a page of a bucket's listing is of one moment, too.
    yield* await this.#through(async () => {
      const entries: FileEntry[] = [];
      for await (const entry of this.#store.list(prefix, options)) entries.push(entry);
      return entries;
    });
  }

  async read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined> {
    return await this.#through(async () => await this.#store.read(path, options));
  }

  async remove(path: RelPath, options?: Abortable): Promise<void> {
    await this.#through(async () => await this.#store.remove(path, options));
  }

  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    await this.#through(async () => await this.#store.put(file, bytes, digest, options));
  }

  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    return putEach(this, files, outcome, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const upload = await this.#through(async () => await this.#store.begin(file, options), {
      undo: async (upload) => await upload.suspend(),
    });
    return {
      get offset() {
        return upload.offset;
      },
      write: async (...chunks) => await this.#through(async () => await upload.write(...chunks)),
      commit: async (digest) => await this.#through(async () => await upload.commit(digest)),
      abort: async () => await upload.abort(),
      suspend: async () => await upload.suspend(),
    };
  }

  async sync(directory: RelPath, options?: Abortable): Promise<void> {
    await this.#through(async () => await this.#store.sync(directory, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  /** @param undo for what was done and nobody is told of */
  async #through<T>(
    act: () => Promise<T>,
    { undo }: { readonly undo?: (done: T) => Promise<void> } = {},
  ): Promise<T> {
    const trouble = this.#trouble();
    const kind = trouble !== undefined && this.#random.chance(trouble.share) ? trouble.kind : undefined;
    if (kind === 'busy') throw failure('BUSY', 'the store asks to slow down');
    if (kind === 'failing') throw failure('STORE_FAILED', 'the store fails');
    await this.#passTime(kind);
    const done = await act();
    await this.#passTime(kind);
    if (kind !== 'unanswered') return done;
    await undo?.(done);
    throw failure('UNREACHABLE', 'the store does not answer');
  }

  async #passTime(kind: BucketTrouble['kind'] | undefined): Promise<void> {
    if (kind === 'slow') await sleep(this.#random.int(0, LATE_MS));
    else if (this.#random.chance(SLOW_SHARE)) await sleep(this.#random.int(0, SLOW_MS));
  }
}

function failure(code: 'BUSY' | 'STORE_FAILED' | 'UNREACHABLE', message: string): IsyncError {
  return new IsyncError(code, message, { retryable: true });
}
