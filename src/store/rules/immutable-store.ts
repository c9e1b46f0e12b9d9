import type { Abortable } from '../../model/abortable.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { checkContent } from '../check-digest.ts';
import { digestAll } from '../read-digest.ts';
import type { BeginOptions, FileDigest, PublishOptions, Store, Upload } from '../store.ts';
import { isKeptAlready, refuseOtherSize, refuseRemoval } from './immutability.ts';
import { StoreDecorator } from './store-decorator.ts';

/**
 * `store` with the rule of immutability.ts, for stores that can't keep it themselves. It looks, then writes: two processes
 * that get different content for one new path at the same moment can both find nothing there, and the later one stays.
 * Within one process the versions of a path take turns.
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
    refuseOtherSize(await this.store.stat(file.path, options), file);
    return new ImmutableUpload(this.store, file, options.algorithm, await this.store.begin(file, options));
  }

  override async remove(path: RelPath, options?: Abortable): Promise<void> {
    refuseRemoval(await this.store.stat(path, options));
    // Nothing is there; what an earlier removal could not finish is made durable.
    await this.store.remove(path, options);
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

async function isKept(store: Store, file: FileEntry, digest: FileDigest): Promise<boolean> {
  const kept = await store.read(file.path, { reuse: true });
  return isKeptAlready(
    kept?.entry,
    file,
    digest,
    async (algorithm) => kept && digestAll(kept.bytes, algorithm),
  );
}
