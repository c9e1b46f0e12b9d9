import type { Abortable } from '../../model/abortable.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  Store,
  StoreCapabilities,
  StoreIdentity,
  Upload,
} from '../store.ts';

/** Reads as `store` does; what is to be written is up to a rule. */
export abstract class StoreDecorator implements Store {
  protected readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  abstract put(
    file: FileEntry,
    bytes: Uint8Array,
    digest: FileDigest,
    options?: PublishOptions,
  ): Promise<void>;
  abstract begin(file: FileEntry, options: BeginOptions): Promise<Upload>;

  get capabilities(): StoreCapabilities {
    return this.store.capabilities;
  }

  identity(options?: Abortable): Promise<StoreIdentity> {
    return this.store.identity(options);
  }

  stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined> {
    return this.store.stat(path, options);
  }

  list(prefix: RelPath | '', options?: Abortable): AsyncIterable<FileEntry> {
    return this.store.list(prefix, options);
  }

  digest(path: RelPath, algorithm: DigestAlgorithm, options?: Abortable): Promise<Buffer | undefined> {
    return this.store.digest(path, algorithm, options);
  }

  sync(directory: RelPath, options?: Abortable): Promise<void> {
    return this.store.sync(directory, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}
