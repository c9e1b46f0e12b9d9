import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { checkContent } from '../check-digest.ts';
import type { BeginOptions, FileDigest, PublishOptions, Store, Upload } from '../store.ts';
import { StoreDecorator } from './store-decorator.ts';

/**
 * `store` where a file once kept is never replaced by different content (IMMUTABLE), for stores that have no such
 * promise of their own. It looks, then writes: two processes that get different content for one new path at the same
 * moment can both find nothing there, and the later one stays. One process is given the versions of a path in turns.
 */
export function withImmutable(store: Store): Store {
  return new ImmutableStore(store);
}

class ImmutableStore extends StoreDecorator {
  async put(file: FileEntry, bytes: Uint8Array, digest: FileDigest, options?: PublishOptions): Promise<void> {
    checkContent(file, bytes, digest);
    if (!(await isKept(this.store, file, digest))) await this.store.put(file, bytes, digest, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const kept = await this.store.stat(file.path, options);
    if (kept !== undefined && kept.size !== file.size) throw keptDifferent(file);
    return new ImmutableUpload(this.store, file, options.algorithm, await this.store.begin(file, options));
  }
}

class ImmutableUpload implements Upload {
  readonly #store: Store;
  readonly #file: FileEntry;
  readonly #algorithm: DigestAlgorithm;
  readonly #upload: Upload;
  #committed: Promise<void> | undefined;

  constructor(store: Store, file: FileEntry, algorithm: DigestAlgorithm, upload: Upload) {
    this.#store = store;
    this.#file = file;
    this.#algorithm = algorithm;
    this.#upload = upload;
  }

  get offset(): number {
    return this.#upload.offset;
  }

  write(...chunks: readonly Uint8Array[]): Promise<void> {
    return this.#upload.write(...chunks);
  }

  commit(digest: Uint8Array): Promise<void> {
    this.#committed ??= this.#commit(digest);
    return this.#committed;
  }

  abort(): Promise<void> {
    return this.#upload.abort();
  }

  suspend(): Promise<void> {
    return this.#upload.suspend();
  }

  async #commit(value: Uint8Array): Promise<void> {
    const digest = { algorithm: this.#algorithm, value };
    if (await isKept(this.#store, this.#file, digest)) await this.#upload.abort();
    else await this.#upload.commit(value);
  }
}

/**
 * Whether exactly this content is there already.
 * @throws IsyncError IMMUTABLE when it is another one
 */
async function isKept(store: Store, file: FileEntry, { algorithm, value }: FileDigest): Promise<boolean> {
  const kept = await store.stat(file.path);
  if (kept === undefined) return false;
  const digest = kept.size === file.size ? await store.digest(file.path, algorithm) : undefined;
  if (digest === undefined || Buffer.compare(digest, value) !== 0) throw keptDifferent(file);
  return true;
}

function keptDifferent(file: FileEntry): IsyncError {
  return new IsyncError('IMMUTABLE', 'kept already with different content', { path: file.path });
}
