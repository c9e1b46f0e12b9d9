import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { StoreDecorator } from '../../store/rules/store-decorator.ts';
import type {
  BeginOptions,
  FileDigest,
  ListOptions,
  PublishOptions,
  PutOutcome,
  ReadOptions,
  Store,
  StoredFile,
  Upload,
  WholeFile,
} from '../../store/store.ts';
import type { DirectoryUses } from './directory-uses.ts';

/** `store`, whose users are told to `uses`. */
export function withUses(store: Store, uses: DirectoryUses): Store {
  return new UsedStore(store, uses);
}

class UsedStore extends StoreDecorator {
  readonly #uses: DirectoryUses;

  constructor(store: Store, uses: DirectoryUses) {
    super(store);
    this.#uses = uses;
  }

  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    this.#uses.touch(file.path);
    await this.store.put(file, bytes, digest, options);
  }

  override putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    for (const { file } of files) this.#uses.touch(file.path);
    return this.store.putMany(files, outcome, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const use = this.#uses.enter(file.path);
    try {
      return new UsedUpload(await this.store.begin(file, options), use);
    } catch (error) {
      use[Symbol.dispose]();
      throw error;
    }
  }

  override stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined> {
    this.#uses.touch(path);
    return this.store.stat(path, options);
  }

  override async *list(prefix: RelPath | '', options?: ListOptions): AsyncGenerator<FileEntry> {
    using _ = prefix === '' ? undefined : this.#uses.enter(prefix);
    yield* this.store.list(prefix, options);
  }

  override async read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined> {
    this.#uses.touch(path);
    const found = await this.store.read(path, options);
    // What has been read needs the directory no more.
    if (found === undefined || found.content !== undefined) return found;
    return { ...found, bytes: this.#using(path, found.bytes) };
  }

  /** Hands `bytes` on; the directory is used for as long as that takes. */
  async *#using(path: RelPath, bytes: StoredFile['bytes']): StoredFile['bytes'] {
    using _ = this.#uses.enter(path);
    yield* bytes;
  }

  override sync(directory: RelPath, options?: Abortable): Promise<void> {
    this.#uses.touch(directory);
    return this.store.sync(directory, options);
  }
}

class UsedUpload implements Upload {
  readonly #upload: Upload;
  readonly #use: Disposable;

  constructor(upload: Upload, use: Disposable) {
    this.#upload = upload;
    this.#use = use;
  }

  get offset(): number {
    return this.#upload.offset;
  }

  write(...chunks: readonly Uint8Array[]): Promise<void> {
    return this.#upload.write(...chunks);
  }

  commit(digest: Uint8Array): Promise<void> {
    return this.#upload.commit(digest).finally(() => this.#use[Symbol.dispose]());
  }

  abort(): Promise<void> {
    return this.#upload.abort().finally(() => this.#use[Symbol.dispose]());
  }

  suspend(): Promise<void> {
    return this.#upload.suspend().finally(() => this.#use[Symbol.dispose]());
  }
}
