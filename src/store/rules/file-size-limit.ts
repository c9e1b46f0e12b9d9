import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { BeginOptions, FileDigest, PublishOptions, Store, Upload } from '../store.ts';
import { StoreDecorator } from './store-decorator.ts';

/** `store` that refuses files of more than `mostBytes` with FILE_TOO_LARGE, before it takes any of their bytes. */
export function withFileSizeLimit(store: Store, mostBytes: number): Store {
  return new FileSizeLimit(store, mostBytes);
}

class FileSizeLimit extends StoreDecorator {
  readonly #mostBytes: number;

  constructor(store: Store, mostBytes: number) {
    super(store);
    this.#mostBytes = mostBytes;
  }

  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    this.#check(file);
    await this.store.put(file, bytes, digest, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    this.#check(file);
    return this.store.begin(file, options);
  }

  #check({ size, path }: FileEntry): void {
    if (size > this.#mostBytes)
      throw new IsyncError('FILE_TOO_LARGE', `files of more than ${this.#mostBytes} bytes are not taken`, {
        path,
      });
  }
}
