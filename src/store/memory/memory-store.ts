import type { Abortable } from '../../model/abortable.ts';
import { digestOf } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { parentOf, type RelPath } from '../../model/rel-path.ts';
import { checkContent } from '../check-digest.ts';
import { newStoreId } from '../store-id.ts';
import { PathOrder } from '../../flow/path-order.ts';
import { isAllZeros } from '../../model/damage.ts';
import { OpenUploads } from '../open-uploads.ts';
import { refuseDamage, refuseShorter } from '../rules/damage-rule.ts';
import type { UploadBody } from '../store-upload.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  PutOutcome,
  ReadOptions,
  Store,
  StoreCapabilities,
  StoredFile,
  StoreIdentity,
  Upload,
  WholeFile,
} from '../store.ts';
import { putEach } from '../put-each.ts';
import { MemoryNotes } from './memory-notes.ts';
import { replaced, storeClosed } from '../store-errors.ts';
import type { NoteName, StoreNotes } from '../store-notes.ts';
import { versionKey } from '../version-key.ts';

/** What a memory store holds. A second store made of the same contents continues where the first one ended. */
export interface MemoryContents {
  readonly files: Map<RelPath, MemoryFile>;
  readonly folders: Set<RelPath>;
  /** Chunks of suspended uploads, by {@link versionKey}. */
  readonly partials: Map<string, readonly Uint8Array[]>;
  /** See {@link StoreIdentity}; undefined until it is asked for. */
  id: string | undefined;
  readonly notes: Map<NoteName, Buffer>;
}

interface MemoryFile {
  readonly entry: FileEntry;
  readonly bytes: Uint8Array;
  /** The time that a store like a bucket lists, in µs. Default: the mtime. */
  readonly publishedUs?: number;
}

export interface MemoryStoreOptions {
  /**
   * A store like a bucket lists when files were published, keeps a file and files below it, and resumes after whole parts
   * only. Default 'folder'.
   */
  readonly like?: 'folder' | 'bucket' | undefined;
}

/** Part of an upload, in bytes: a store like a bucket keeps only whole ones of a suspended upload. */
const PART_BYTES = 64 * 1024;
/** Read at a time, in bytes. */
const PIECE_BYTES = 64 * 1024;

export function createMemoryContents(): MemoryContents {
  return { files: new Map(), folders: new Set(), partials: new Map(), id: undefined, notes: new Map() };
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
  readonly notes: StoreNotes;
  readonly #contents: MemoryContents;
  readonly #isFolder: boolean;
  readonly #uploads = new OpenUploads();
  readonly #publishing = new PathOrder();
  #closed = false;

  constructor(contents: MemoryContents, isFolder: boolean) {
    this.#contents = contents;
    this.notes = new MemoryNotes(contents.notes);
    this.#isFolder = isFolder;
    this.capabilities = { listedMtime: isFolder };
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
    for (const { entry, publishedUs = entry.mtimeUs } of this.#contents.files.values()) {
      signal?.throwIfAborted();
      if (prefix === '' || entry.path === prefix || entry.path.startsWith(`${prefix}/`))
        yield this.#isFolder ? entry : { ...entry, mtimeUs: publishedUs };
    }
  }

  async read(path: RelPath, options: ReadOptions = {}): Promise<StoredFile | undefined> {
    this.#check(options.signal);
    const file = this.#contents.files.get(path);
    return file && { entry: file.entry, bytes: this.#bytesOf(file, options) };
  }

  async put(
    file: FileEntry,
    bytes: Uint8Array,
    digest: FileDigest,
    options: PublishOptions = {},
  ): Promise<void> {
    this.#check();
    checkContent(file, bytes, digest);
    await this.#publish(file, Uint8Array.from(bytes), digest, options);
  }

  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    return putEach(this, files, outcome, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    const { algorithm, resume, signal, replaceDamaged = false } = options;
    this.#check(signal);
    const key = versionKey(file);
    return this.#uploads.begin(file, async () => {
      if (!replaceDamaged) refuseShorter(this.#contents.files.get(file.path)?.entry, file);
      const chunks = resume ? (this.#contents.partials.get(key) ?? []) : [];
      this.#contents.partials.delete(key);
      return new MemoryBody(chunks, {
        publish: async (bytes, value) => {
          const digest = { algorithm, value };
          checkContent(file, bytes, digest);
          await this.#publish(file, bytes, digest, options);
        },
        keep: (chunks) => {
          const kept = this.#isFolder ? chunks : wholeParts(chunks);
          if (kept.length > 0) this.#contents.partials.set(key, kept);
        },
      });
    });
  }

  async remove(path: RelPath, { signal }: Abortable = {}): Promise<void> {
    this.#check(signal);
    await this.#publishing.run(path, async () => {
      this.#contents.files.delete(path);
      this.#removeEmptyFolders(path);
    });
  }

  async sync(_directory: RelPath, { signal }: Abortable = {}): Promise<void> {
    this.#check(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#uploads.suspend();
    await this.#publishing.idle();
  }

  #check(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed) throw storeClosed();
  }

  async *#bytesOf(
    file: MemoryFile,
    { start = 0, length = Infinity, signal }: ReadOptions,
  ): AsyncGenerator<Uint8Array> {
    this.#check(signal);
    const end = Math.min(file.bytes.length, start + length);
    if (this.#contents.files.get(file.entry.path) !== file) throw replaced(file.entry.path);
    for (let at = start; at < end; at += PIECE_BYTES) {
      this.#check(signal);
      yield Uint8Array.from(file.bytes.subarray(at, Math.min(at + PIECE_BYTES, end)));
    }
  }

  async #publish(
    file: FileEntry,
    bytes: Uint8Array,
    digest: FileDigest,
    { replaceDamaged = false }: PublishOptions,
  ): Promise<void> {
    await this.#publishing.run(file.path, async () => {
      const kept = this.#contents.files.get(file.path);
      const incoming = { file, digest, allZeros: isAllZeros(bytes) };
      if (kept !== undefined && !replaceDamaged)
        await refuseDamage(kept.entry, incoming, async (algorithm) => digestOf(algorithm, kept.bytes));
      if (this.#isFolder) this.#makeWay(file.path);
      const { path, size, mtimeUs } = file;
      const entry = { path, size, mtimeUs };
      this.#contents.files.set(path, { entry, bytes, publishedUs: Date.now() * 1000 });
    });
  }

  #makeWay(path: RelPath): void {
    const { files, folders } = this.#contents;
    if (folders.has(path)) throw conflict(path, 'a folder');
    for (const folder of foldersAbove(path))
      if (files.has(folder)) throw conflict(path, `the file ${folder}`);
    for (const folder of foldersAbove(path)) folders.add(folder);
  }

  #removeEmptyFolders(path: RelPath): void {
    const { files, folders } = this.#contents;
    for (const folder of foldersAbove(path)) {
      const isBelow = (other: RelPath): boolean => other.startsWith(`${folder}/`);
      if (files.keys().some(isBelow) || folders.keys().some(isBelow)) return;
      folders.delete(folder);
    }
  }
}

interface MemoryBodyEnds {
  publish(bytes: Uint8Array, digest: Uint8Array): Promise<void>;
  /** Keeps the chunks for a resume. */
  keep(chunks: readonly Uint8Array[]): void;
}

class MemoryBody implements UploadBody {
  readonly #ends: MemoryBodyEnds;
  readonly #chunks: Uint8Array[];
  #offset: number;

  constructor(chunks: readonly Uint8Array[], ends: MemoryBodyEnds) {
    this.#chunks = [...chunks];
    this.#offset = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#ends = ends;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(chunks);
    this.#chunks.push(bytes);
    this.#offset += bytes.length;
  }

  async publish(digest: Uint8Array): Promise<void> {
    await this.#ends.publish(Buffer.concat(this.#chunks), digest);
  }

  async letGo(keep: boolean): Promise<void> {
    if (keep) this.#ends.keep(this.#chunks);
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
