import type { Abortable } from '../../model/abortable.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { PathOrder } from '../../flow/path-order.ts';
import { checkListable, listObjects, removeObject } from '../../s3/objects.ts';
import { Bucket } from '../../s3/requests.ts';
import { checkContent } from '../check-digest.ts';
import { OpenUploads } from '../open-uploads.ts';
import { type Incoming, refuseShorter } from '../rules/damage-rule.ts';
import type { StoreNotes } from '../store-notes.ts';
import { storeClosed } from '../store-errors.ts';
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
import { throwAwayAbandoned } from './abandoned.ts';
import { beginUpload } from './begin-upload.ts';
import { FileObjects, isFresh } from './file-objects.ts';
import { Keys } from './keys.ts';
import { OwnObjects } from './own-objects.ts';
import { PartBuffers } from './part-buffers.ts';
import { mostBytes, PART_BYTES, planParts } from './part-plan.ts';
import type { S3Body } from './s3-body.ts';
import type { S3StoreOptions } from './s3-options.ts';
import { S3Notes } from './s3-notes.ts';
import { SmallBody } from './small-body.ts';
import { findStoreId } from './store-id.ts';

/** Age at which an upload that nobody has resumed is thrown away, in ms. */
const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;
/** How often abandoned uploads are looked for, in ms; also when the store is opened. */
const COLLECT_EVERY_MS = 24 * 3600 * 1000;
/** Memory for the parts of all uploads, in bytes: one large file may use all of it, several share it. */
export const PART_BUFFER_BYTES = 48 * 1024 * 1024;

/**
 * Opens the store below a prefix of an existing bucket. Its own objects are below `.isync/` there. Any number of processes
 * on any machines may have the same store open.
 *
 * @throws IsyncError STORE_MISSING, STORE_REFUSED, CLOCK_SKEW, UNREACHABLE, … when the bucket can't be listed; the signal's reason
 */
export async function openS3Store(options: S3StoreOptions, { signal }: Abortable = {}): Promise<Store> {
  const bucket = new Bucket(options, { cut: options.cut });
  const keys = new Keys(options.prefix);
  try {
    await checkListable(bucket, keys.all, { signal });
  } catch (error) {
    bucket[Symbol.dispose]();
    throw error;
  }
  return new S3Store(bucket, keys, options);
}

class S3Store implements Store {
  readonly capabilities: StoreCapabilities = { listedMtime: false };
  readonly notes: StoreNotes | undefined;
  readonly #bucket: Bucket;
  readonly #own: OwnObjects;
  readonly #files: FileObjects;
  readonly #keys: Keys;
  readonly #readOnly: boolean;
  readonly #buffers: PartBuffers;
  readonly #partBytes: number;
  readonly #mostPartBytes: number;
  readonly #abandonedAfterMs: number;
  readonly #publishing = new PathOrder();
  readonly #uploads = new OpenUploads((file, publish) => this.#publishing.run(file.path, publish));
  readonly #collector: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  #collecting: Promise<void> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(bucket: Bucket, keys: Keys, options: S3StoreOptions) {
    const bufferBytes = options.partBufferBytes ?? PART_BUFFER_BYTES;
    this.#bucket = bucket;
    this.#own = new OwnObjects(bucket, options);
    this.#files = new FileObjects(bucket, options);
    this.#keys = keys;
    this.notes = options.readOnly === true ? undefined : new S3Notes(this.#own, keys.notes);
    this.#readOnly = options.readOnly === true;
    this.#buffers = new PartBuffers(bufferBytes, options.bufferIdleMs);
    this.#partBytes = options.minPartBytes ?? PART_BYTES;
    // The largest files then go one part at a time, and nothing else beside them.
    this.#mostPartBytes = bufferBytes;
    this.#abandonedAfterMs = options.abandonedAfterMs ?? ABANDONED_AFTER_MS;
    if (this.#readOnly) return;
    this.#collecting = this.#collect();
    this.#collector = setInterval(() => {
      this.#collecting = this.#collecting.then(() => this.#collect());
    }, COLLECT_EVERY_MS).unref();
  }

  async identity({ signal }: Abortable = {}): Promise<StoreIdentity> {
    this.#checkGoesOn(signal);
    return { id: await findStoreId(this.#own, this.#keys.storeId, !this.#readOnly, { signal }) };
  }

  async stat(path: RelPath, { signal }: Abortable = {}): Promise<FileEntry | undefined> {
    this.#checkGoesOn(signal);
    const key = this.#keys.keyOf(path);
    return key === undefined ? undefined : this.#files.stat({ key, path }, { signal });
  }

  async *list(prefix: RelPath | '', { signal }: Abortable = {}): AsyncGenerator<FileEntry> {
    this.#checkGoesOn(signal);
    if (prefix !== '') {
      const file = await this.stat(prefix, { signal });
      if (file !== undefined) yield file;
    }
    const before = this.#keys.all + (prefix === '' ? '' : `${prefix}/`);
    for await (const { key, size, modifiedMs } of listObjects(this.#bucket, before, {
      signal,
      path: prefix,
    })) {
      this.#checkGoesOn(signal);
      const path = this.#keys.pathOf(key);
      if (path !== undefined) yield { path, size, mtimeUs: modifiedMs * 1000 };
    }
  }

  async read(path: RelPath, { start, length, signal }: ReadOptions = {}): Promise<StoredFile | undefined> {
    this.#checkGoesOn(signal);
    const key = this.#keys.keyOf(path);
    if (key === undefined) return undefined;
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    return this.#files.read({ key, path }, { start, length }, { signal: AbortSignal.any(signals) });
  }

  async put(
    file: FileEntry,
    bytes: Uint8Array,
    digest: FileDigest,
    options: PublishOptions = {},
  ): Promise<void> {
    this.#checkGoesOn();
    const key = this.#keys.keyFor(file.path);
    checkContent(file, bytes, digest);
    await this.#publishing.run(file.path, () => this.#files.put(key, { file, digest }, bytes, options));
  }

  putMany<File extends WholeFile>(
    files: readonly File[],
    outcome: PutOutcome<File>,
    options?: PublishOptions,
  ): Promise<void> {
    return putEach(this, files, outcome, options);
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    this.#checkGoesOn(options.signal);
    const key = this.#keys.keyFor(file.path);
    if (file.size > mostBytes(this.#mostPartBytes)) throw tooLarge(file, this.#mostPartBytes);
    return this.#uploads.begin(file, () => this.#begin(key, file, options));
  }

  async remove(path: RelPath, { signal }: Abortable = {}): Promise<void> {
    this.#checkGoesOn(signal);
    const key = this.#keys.keyOf(path);
    if (key === undefined) return;
    await this.#publishing.run(path, () => removeObject(this.#bucket, key, { path, signal }));
  }

  async sync(_directory: RelPath, { signal }: Abortable = {}): Promise<void> {
    // What a server has answered to is durable.
    this.#checkGoesOn(signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    clearInterval(this.#collector);
    this.#closing.abort(storeClosed());
    await this.#uploads.suspend();
    await this.#publishing.idle();
    await this.#collecting;
    this.#bucket[Symbol.dispose]();
  }

  #checkGoesOn(signal?: AbortSignal): void {
    if (this.#disposed !== undefined) throw storeClosed();
    signal?.throwIfAborted();
  }

  /**
   * A sender that asked where to resume sends nothing until it is told. So the answer waits until there is memory for the
   * first bytes, and the link stays free for files that have some. Where an upload is resumed it need not wait: the sender
   * has to digest what is there first.
   */
  async #begin(key: string, file: FileEntry, options: BeginOptions): Promise<S3Body> {
    const inParts = file.size > this.#partBytes;
    if (options.replaceDamaged !== true && (inParts || !isFresh(file)))
      refuseShorter(await this.#files.stat({ key, path: file.path }, { signal: options.signal }), file);
    const body = await this.#bodyFor(key, file, options);
    if (!options.resume || body.offset > 0) return body;
    await body.ready();
    if (options.signal?.aborted === true) {
      await body.letGo(true);
      throw options.signal.reason;
    }
    return body;
  }

  async #bodyFor(key: string, file: FileEntry, options: BeginOptions): Promise<S3Body> {
    if (file.size <= this.#partBytes)
      return new SmallBody(file, options.algorithm, this.#buffers, (bytes, digest) =>
        this.#files.put(key, { file, digest }, bytes, options),
      );
    const large = {
      file,
      key,
      stateKey: this.#keys.stateKeyOf(file),
      plan: planParts(file.size, this.#partBytes),
      own: this.#own,
      settings: this.#files.settings,
      buffers: this.#buffers,
      mostPartBytes: this.#mostPartBytes,
      mayReplace: async (incoming: Incoming) => {
        if (options.replaceDamaged !== true) await this.#files.refuseDamage(key, incoming);
      },
    };
    return beginUpload(large, options);
  }

  /** Never rejects. */
  async #collect(): Promise<void> {
    const before = Date.now() - this.#abandonedAfterMs;
    try {
      await throwAwayAbandoned(this.#own, this.#keys, before, this.#closing.signal);
    } catch {
      // Nothing that is kept depends on it, the next round tries again, and a store that fails says so elsewhere.
    }
  }
}

function tooLarge(file: FileEntry, mostPartBytes: number): IsyncError {
  const most = mostBytes(mostPartBytes);
  return new IsyncError(
    'FILE_TOO_LARGE',
    `files of more than ${most} bytes need larger parts than there is memory for`,
    {
      path: file.path,
    },
  );
}
