import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  PutOutcome,
  Store,
  Upload,
  WholeFile,
} from '../store.ts';
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

  override putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    const taken = files.filter((each) => {
      const refusal = this.#refusal(each.file);
      if (refusal !== undefined) outcome.refused(each, refusal);
      return refusal === undefined;
    });
    return this.store.putMany(taken, outcome, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    this.#check(file);
    return this.store.begin(file, options);
  }

  #check(file: FileEntry): void {
    const refusal = this.#refusal(file);
    if (refusal !== undefined) throw refusal;
  }

  #refusal({ size, path }: FileEntry): IsyncError | undefined {
    if (size <= this.#mostBytes) return undefined;
    const message = `files of more than ${this.#mostBytes} bytes are not taken`;
    return new IsyncError('FILE_TOO_LARGE', message, { path });
  }
}
