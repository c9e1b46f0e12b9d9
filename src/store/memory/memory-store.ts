import type { Abortable } from '../../model/abortable.ts';
import { type DigestAlgorithm, digestOf } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { parentOf, type RelPath } from '../../model/rel-path.ts';
import { checkContent } from '../check-digest.ts';
import { newStoreId } from '../new-store-id.ts';
import { damageOf, isAllZeros } from '../../model/damage.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  Store,
  StoreCapabilities,
  StoreIdentity,
  Upload,
} from '../store.ts';
import { sourceDamaged, storeClosed, tooManyBytes, uploadBusy, uploadEnded } from '../store-errors.ts';
import { versionKey } from '../version-key.ts';

/** What a memory store holds. Another store made of the same contents goes on where the first one ended. */
export interface MemoryContents {
  readonly files: Map<RelPath, MemoryFile>;
  readonly folders: Set<RelPath>;
  /** Chunks of suspended uploads, by {@link versionKey}. */
  readonly partials: Map<string, readonly Uint8Array[]>;
  /** See {@link StoreIdentity}; undefined until it is asked for. */
  id: string | undefined;
}

interface MemoryFile {
  readonly entry: FileEntry;
  readonly bytes: Uint8Array;
  /** What a store like a bucket lists. Default: the mtime. */
  readonly publishedUs?: number;
}

export interface MemoryStoreOptions {
  /** What it behaves like; see {@link StoreCapabilities} for what a bucket can't do. Default 'folder'. */
  readonly like?: 'folder' | 'bucket' | undefined;
}

/** Of a suspended upload a store like a bucket keeps whole parts only, of so many bytes. */
const PART_BYTES = 64 * 1024;

export function createMemoryContents(): MemoryContents {
  return { files: new Map(), folders: new Set(), partials: new Map(), id: undefined };
}

/** A store for tests: durable as long as its contents are referenced. */
export function createMemoryStore(
  contents: MemoryContents = createMemoryContents(),
  { like = 'folder' }: MemoryStoreOptions = {},
): Store {
  return new MemoryStore(contents, like === 'folder');
}

class MemoryStore implements Store {
  readonly capabilities: StoreCapabilities;
  readonly #contents: MemoryContents;
  readonly #open = new Map<string, MemoryUpload>();
  #closed = false;

  constructor(contents: MemoryContents, isFolder: boolean) {
    this.#contents = contents;
    this.capabilities = {
      atomicReplace: true,
      mtime: true,
      listedMtime: isFolder,
      folders: isFolder,
      resume: true,
      exactResume: isFolder,
    };
  }

  async identity({ signal }: Abortable = {}): Promise<StoreIdentity> {
    this.#check(signal);
    this.#contents.id ??= newStoreId();
    return { id: this.#contents.id };
  }

  async stat(path: RelPath, { signal }: Abortable = {}): Promise<FileEntry | undefined> {
    this.#check(signal);
    return this.#contents.files.get(path)?.entry;
  }

  async *list(prefix: RelPath | '', { signal }: Abortable = {}): AsyncGenerator<FileEntry> {
    this.#check(signal);
    const { listedMtime } = this.capabilities;
    for (const { entry, publishedUs = entry.mtimeUs } of this.#contents.files.values()) {
      signal?.throwIfAborted();
      if (prefix === '' || entry.path === prefix || entry.path.startsWith(`${prefix}/`))
        yield listedMtime ? entry : { ...entry, mtimeUs: publishedUs };
    }
  }

  async digest(
    path: RelPath,
    algorithm: DigestAlgorithm,
    { signal }: Abortable = {},
  ): Promise<Buffer | undefined> {
    this.#check(signal);
    const file = this.#contents.files.get(path);
    return file && digestOf(algorithm, file.bytes);
  }

  async put(
    file: FileEntry,
    bytes: Uint8Array,
    digest: FileDigest,
    options: PublishOptions = {},
  ): Promise<void> {
    this.#check();
    checkContent(file, bytes, digest);
    this.#publish(file, Uint8Array.from(bytes), options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const { algorithm, resume, signal } = options;
    this.#check(signal);
    this.#refuseDamage(file, undefined, options);
    const key = versionKey(file);
    if (this.#open.has(key)) throw uploadBusy(file);
    const chunks = resume ? (this.#contents.partials.get(key) ?? []) : [];
    this.#contents.partials.delete(key);
    const upload = new MemoryUpload(file, chunks, {
      publish: (bytes, digest) => {
        checkContent(file, bytes, { algorithm, value: digest });
        this.#publish(file, bytes, options);
      },
      release: (chunks) => {
        const kept = this.capabilities.exactResume ? chunks : wholeParts(chunks);
        this.#open.delete(key);
        if (kept.length > 0) this.#contents.partials.set(key, kept);
      },
    });
    this.#open.set(key, upload);
    return upload;
  }

  async sync(_directory: RelPath, { signal }: Abortable = {}): Promise<void> {
    this.#check(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const upload of this.#open.values()) await upload.suspend();
  }

  #check(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed) throw storeClosed();
  }

  /** @param bytes undefined where they are still to come */
  #refuseDamage(
    file: FileEntry,
    bytes: Uint8Array | undefined,
    { replaceDamaged = false }: PublishOptions,
  ): void {
    const kept = this.#contents.files.get(file.path);
    if (kept === undefined || replaceDamaged) return;
    const damage = damageOf(kept.entry, file, bytes !== undefined && isAllZeros(bytes));
    if (damage === 'shorter' || (damage === 'zeros' && !isAllZeros(kept.bytes)))
      throw sourceDamaged(kept.entry, file, damage);
  }

  #publish(file: FileEntry, bytes: Uint8Array, options: PublishOptions): void {
    if (this.capabilities.folders) this.#checkWay(file.path);
    this.#refuseDamage(file, bytes, options);
    if (this.capabilities.folders) this.#makeFolders(file.path);
    const { path, size, mtimeUs } = file;
    const entry = { path, size, mtimeUs };
    this.#contents.files.set(path, { entry, bytes, publishedUs: Date.now() * 1000 });
  }

  #checkWay(path: RelPath): void {
    const { files, folders } = this.#contents;
    if (folders.has(path)) throw conflict(path, 'a folder');
    for (const folder of foldersAbove(path))
      if (files.has(folder)) throw conflict(path, `the file ${folder}`);
  }

  #makeFolders(path: RelPath): void {
    for (const folder of foldersAbove(path)) this.#contents.folders.add(folder);
  }
}

interface MemoryUploadEnds {
  publish(bytes: Uint8Array, digest: Uint8Array): void;
  /** Called once, at the end, with the chunks to keep for a resume. */
  release(kept: readonly Uint8Array[]): void;
}

class MemoryUpload implements Upload {
  readonly #file: FileEntry;
  readonly #ends: MemoryUploadEnds;
  readonly #chunks: Uint8Array[];
  #offset: number;
  #committed: Promise<void> | undefined;
  #ended = false;

  constructor(file: FileEntry, chunks: readonly Uint8Array[], ends: MemoryUploadEnds) {
    this.#file = file;
    this.#chunks = [...chunks];
    this.#offset = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#ends = ends;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(...chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#ended) throw uploadEnded(this.#file);
    const bytes = Buffer.concat(chunks);
    if (this.#offset + bytes.length > this.#file.size) throw tooManyBytes(this.#file);
    this.#chunks.push(bytes);
    this.#offset += bytes.length;
  }

  commit(digest: Uint8Array): Promise<void> {
    this.#committed ??= this.#commit(digest);
    return this.#committed;
  }

  async abort(): Promise<void> {
    this.#end([]);
  }

  async suspend(): Promise<void> {
    this.#end(this.#chunks);
  }

  async #commit(digest: Uint8Array): Promise<void> {
    if (this.#ended) throw uploadEnded(this.#file);
    this.#end([]);
    this.#ends.publish(Buffer.concat(this.#chunks), digest);
  }

  #end(kept: readonly Uint8Array[]): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ends.release(kept);
  }
}

function wholeParts(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const bytes = Buffer.concat(chunks);
  const whole = bytes.subarray(0, bytes.length - (bytes.length % PART_BYTES));
  return whole.length === 0 ? [] : [whole];
}

function* foldersAbove(path: RelPath): Generator<RelPath> {
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) yield folder;
}

function conflict(path: RelPath, what: string): IsyncError {
  return new IsyncError('PATH_CONFLICT', `${what} is in the way`, { path });
}
