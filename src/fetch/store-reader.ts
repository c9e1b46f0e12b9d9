import type { Abortable } from '../model/abortable.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { joinRelPath, parentOf, parseRelPath, type RelPath } from '../model/rel-path.ts';
import type { ListOptions, ReadableStore, ReadOptions, StoredFile } from '../store/store.ts';
import type { Reader } from '../store/reader.ts';

/** Enough for a folder or a bucket, and for files that share the fsyncs of folders. */
const FILES_AT_ONCE = 64;

export interface StoreReaderOptions extends Abortable {
  /** See Reader. Default {@link FILES_AT_ONCE}. */
  readonly filesAtOnce?: number | undefined;
}

/**
 * What `store` keeps at `place`, '' being all of it. Closing the reader closes the store, also where this rejects.
 * @throws IsyncError of the store
 */
export async function openStoreReader(
  store: ReadableStore,
  place: RelPath | '',
  { filesAtOnce = FILES_AT_ONCE, signal }: StoreReaderOptions = {},
): Promise<Reader> {
  try {
    const isFile = place !== '' && (await store.stat(place, { signal })) !== undefined;
    return new StoreReader(store, { place, base: isFile ? parentOf(place) : place, filesAtOnce });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** What is read of a store. */
interface Place {
  readonly place: RelPath | '';
  /** What paths are relative to. */
  readonly base: RelPath | '';
  readonly filesAtOnce: number;
}

class StoreReader implements Reader {
  readonly filesAtOnce: number;
  readonly #store: ReadableStore;
  readonly #place: RelPath | '';
  readonly #base: RelPath | '';

  constructor(store: ReadableStore, { place, base, filesAtOnce }: Place) {
    this.#store = store;
    this.filesAtOnce = filesAtOnce;
    this.#place = place;
    this.#base = base;
  }

  get listedMtime(): boolean {
    return this.#store.capabilities.listedMtime;
  }

  async *list({ signal, onUnreadable }: ListOptions = {}): AsyncGenerator<FileEntry> {
    const options: ListOptions = {
      signal,
      onUnreadable: onUnreadable && ((folder, error) => onUnreadable(this.#relative(folder), error)),
    };
    for await (const entry of this.#store.list(this.#place, options)) yield this.#named(entry);
  }

  async stat(path: RelPath, options?: Abortable): Promise<FileEntry | undefined> {
    const entry = await this.#store.stat(joinRelPath(this.#base, path), options);
    return entry && this.#named(entry);
  }

  async read(path: RelPath, options?: ReadOptions): Promise<StoredFile | undefined> {
    const found = await this.#store.read(joinRelPath(this.#base, path), options);
    return found && { ...found, entry: this.#named(found.entry) };
  }

  #named(entry: FileEntry): FileEntry {
    return this.#base === '' ? entry : { ...entry, path: this.#relative(entry.path) };
  }

  /** @param path of what lies below the base */
  #relative(path: RelPath): RelPath {
    return this.#base === '' ? path : parseRelPath(path.slice(this.#base.length + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }
}
