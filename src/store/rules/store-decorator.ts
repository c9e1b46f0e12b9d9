import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  PutOutcome,
  ReadOptions,
  Store,
  StoreCapabilities,
  ListOptions,
  StoredFile,
  StoreIdentity,
  Upload,
  WholeFile,
} from '../store.ts';
import { putEach } from '../put-each.ts';
import type { StoreNotes } from '../store-notes.ts';

/** A store with a rule about what is written to it. All else it does as `store`. */
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

  /** By `put`, so that a rule about that holds here too; a rule that has a quicker way overrides it. */
  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    return putEach(this, files, outcome, options);
  }

  get capabilities(): StoreCapabilities {
    return this.store.capabilities;
  }

  get notes(): StoreNotes | undefined {
    return this.store.notes;
  }

  identity(options?: Abortable): Promise<StoreIdentity> {
    return this.store.identity(options);
  }

  stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined> {
    return this.store.stat(path, options);
  }

  list(prefix: RelPath | '', options?: ListOptions): AsyncIterable<FileEntry> {
    return this.store.list(prefix, options);
  }

  read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined> {
    return this.store.read(path, options);
  }

  remove(path: RelPath, options?: Abortable): Promise<void> {
    return this.store.remove(path, options);
  }

  sync(directory: RelPath, options?: Abortable): Promise<void> {
    return this.store.sync(directory, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}
