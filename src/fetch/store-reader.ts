import type { Abortable } from '../model/abortable.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { joinRelPath, parentOf, parseRelPath, type RelPath } from '../model/rel-path.ts';
import type { ListOptions, ReadOptions, Store, StoredFile } from '../store/store.ts';
import type { Reader } from '../store/reader.ts';

/**
 * What `store` keeps at `place`, '' being all of it. Closing the reader closes the store, also where this rejects.
 * @throws IsyncError of the store
 */
export async function openStoreReader(
  store: Store,
  place: RelPath | '',
  options: Abortable = {},
): Promise<Reader> {
  try {
    const isFile = place !== '' && (await store.stat(place, options)) !== undefined;
    return new StoreReader(store, place, isFile ? parentOf(place) : place);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

class StoreReader implements Reader {
  readonly #store: Store;
  readonly #place: RelPath | '';
  readonly #base: RelPath | '';

  /** @param base what paths are relative to */
  constructor(store: Store, place: RelPath | '', base: RelPath | '') {
    this.#store = store;
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
