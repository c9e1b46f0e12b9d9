import { createHash } from 'node:crypto';
import type { Abortable } from '../../model/abortable.ts';
import { createDigester, type DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import { isAllZeros } from '../../model/damage.ts';
import { checkContent } from '../check-digest.ts';
import { type Incoming, refuseDamage, refuseShorter } from '../rules/damage-rule.ts';
import type {
  BeginOptions,
  FileDigest,
  PublishOptions,
  Store,
  StoreCapabilities,
  StoreIdentity,
  Upload,
} from '../store.ts';
import { PathOrder } from '../../flow/path-order.ts';
import { storeClosed, uploadBusy } from '../store-errors.ts';
import { versionKey } from '../version-key.ts';
import { throwAwayAbandoned } from './abandoned.ts';
import { beginUpload } from './begin-upload.ts';
import type { ObjectSettings } from '../../s3/object-attributes.ts';
import { checkListable, getObject, headObject, listObjects, putObject } from '../../s3/objects.ts';
import { Bucket } from '../../s3/requests.ts';
import { Keys } from './keys.ts';
import { mtimeOf, toMetadata } from './metadata.ts';
import { OwnObjects } from './own-objects.ts';
import { PartBuffers } from './part-buffers.ts';
import { mostBytes, PART_BYTES, planParts } from './part-plan.ts';
import type { S3StoreOptions } from './s3-options.ts';
import { S3Upload, type UploadBody } from './s3-upload.ts';
import { SmallBody } from './small-body.ts';
import { findStoreId } from './store-id.ts';

const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;
/** How often abandoned uploads are looked for, in ms; also when the store is opened. */
const COLLECT_EVERY_MS = 24 * 3600 * 1000;
/**
 * Age of an mtime up to which a file of a single request is put without a look at what it replaces, in ms: a power cut and the start
 * after it take the device longer, and a look at each live file would cost a request each. A device whose clock is ahead by
 * just the age of a damaged file escapes the look.
 */
const FRESH_MS = 10_000;
/** Memory for the parts of all uploads: one large file has all it can use of it, several share it. */
export const PART_BUFFER_BYTES = 48 * 1024 * 1024;

/**
 * The store below a prefix of a bucket that is there already. Its own objects are below `.isync/` there. Any number of
 * processes on any machines may have the same store open.
 *
 * @throws IsyncError STORE_MISSING, STORE_REFUSED, CLOCK_SKEW, UNREACHABLE, … when the bucket can't be listed
 */
export async function openS3Store(options: S3StoreOptions): Promise<Store> {
  const bucket = new Bucket(options);
  const keys = new Keys(options.prefix);
  try {
    await checkListable(bucket, keys.all);
  } catch (error) {
    bucket[Symbol.dispose]();
    throw error;
  }
  return new S3Store(bucket, keys, options);
}

class S3Store implements Store {
  readonly capabilities: StoreCapabilities = {
    atomicReplace: true,
    mtime: true,
    listedMtime: false,
    folders: false,
    resume: true,
    exactResume: false,
  };
  readonly #bucket: Bucket;
  readonly #own: OwnObjects;
  readonly #settings: ObjectSettings;
  readonly #keys: Keys;
  readonly #readOnly: boolean;
  readonly #buffers: PartBuffers;
  readonly #partBytes: number;
  readonly #mostPartBytes: number;
  readonly #abandonedAfterMs: number;
  readonly #publishing = new PathOrder();
  readonly #uploads = new Map<string, Promise<S3Upload>>();
  readonly #collector: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  #collecting: Promise<void> = Promise.resolve();
  #disposed: Promise<void> | undefined;

  constructor(bucket: Bucket, keys: Keys, options: S3StoreOptions) {
    const bufferBytes = options.partBufferBytes ?? PART_BUFFER_BYTES;
    this.#bucket = bucket;
    this.#own = new OwnObjects(bucket, options);
    const { storageClass, sse, sseKmsKeyId, tags } = options;
    this.#settings = { storageClass, sse, sseKmsKeyId, tags };
    this.#keys = keys;
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
    return key === undefined ? undefined : this.#find(key, path, signal);
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

  async digest(
    path: RelPath,
    algorithm: DigestAlgorithm,
    { signal }: Abortable = {},
  ): Promise<Buffer | undefined> {
    this.#checkGoesOn(signal);
    const key = this.#keys.keyOf(path);
    return key === undefined ? undefined : this.#digestOf(key, path, algorithm, signal);
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
    await this.#publishing.run(file.path, () => this.#put(key, { file, digest }, bytes, options));
  }

  async begin(file: FileEntry, options: BeginOptions): Promise<Upload> {
    this.#checkGoesOn(options.signal);
    const key = this.#keys.keyFor(file.path);
    if (file.size > mostBytes(this.#mostPartBytes)) throw tooLarge(file, this.#mostPartBytes);
    const version = versionKey(file);
    if (this.#uploads.has(version)) throw uploadBusy(file);
    const upload = this.#begin(key, file, options).then(
      (body) =>
        new S3Upload(file, body, {
          publish: (publish) => this.#publishing.run(file.path, publish),
          ended: () => this.#uploads.delete(version),
        }),
    );
    this.#uploads.set(version, upload);
    try {
      return await upload;
    } catch (error) {
      this.#uploads.delete(version);
      throw error;
    }
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
    // A rejection is told to whoever called.
    await Promise.allSettled([...this.#uploads.values()].map(async (upload) => (await upload).suspend()));
    await this.#publishing.idle();
    await this.#collecting;
    this.#bucket[Symbol.dispose]();
  }

  #checkGoesOn(signal?: AbortSignal): void {
    if (this.#disposed !== undefined) throw storeClosed();
    signal?.throwIfAborted();
  }

  /**
   * Who asks how much is there waits for the answer, and sends nothing before: so the answer waits for memory, and the
   * link stays free for files that have some. Not where much is there, for whoever asked has all of that to digest first.
   */
  async #begin(key: string, file: FileEntry, options: BeginOptions): Promise<UploadBody> {
    const inParts = file.size > this.#partBytes;
    if (options.replaceDamaged !== true && (inParts || !isFresh(file)))
      refuseShorter(await this.#find(key, file.path, options.signal), file);
    const body = await this.#bodyFor(key, file, options);
    if (!options.resume || body.offset > 0) return body;
    await body.ready();
    if (options.signal?.aborted === true) {
      await body.letGo(true);
      throw options.signal.reason;
    }
    return body;
  }

  async #bodyFor(key: string, file: FileEntry, options: BeginOptions): Promise<UploadBody> {
    if (file.size <= this.#partBytes)
      return new SmallBody(file, options.algorithm, this.#buffers, (bytes, digest) =>
        this.#put(key, { file, digest }, bytes, options),
      );
    const large = {
      file,
      key,
      stateKey: this.#keys.stateKeyOf(file),
      plan: planParts(file.size, this.#partBytes),
      own: this.#own,
      settings: this.#settings,
      buffers: this.#buffers,
      mostPartBytes: this.#mostPartBytes,
      mayReplace: async (incoming: Incoming) => {
        if (options.replaceDamaged !== true) await this.#refuseDamage(key, incoming);
      },
    };
    return beginUpload(large, options);
  }

  async #find(key: string, path: RelPath, signal?: AbortSignal): Promise<FileEntry | undefined> {
    const head = await headObject(this.#bucket, key, { path, signal });
    if (head === undefined) return undefined;
    return { path, size: head.size, mtimeUs: mtimeOf(head.metadata) ?? head.modifiedMs * 1000 };
  }

  async #digestOf(
    key: string,
    path: RelPath,
    algorithm: DigestAlgorithm,
    signal?: AbortSignal,
  ): Promise<Buffer | undefined> {
    using found = await getObject(this.#bucket, key, { path, signal });
    if (found === undefined) return undefined;
    const digester = createDigester(algorithm);
    for await (const piece of found.bytes) digester.update(piece);
    return digester.digest();
  }

  /** It looks, then the caller puts: another process may publish in between, as for `--immutable`. */
  async #refuseDamage(key: string, incoming: Incoming): Promise<void> {
    const { path } = incoming.file;
    const kept = await this.#find(key, path);
    await refuseDamage(kept, incoming, (algorithm) => this.#digestOf(key, path, algorithm));
  }

  /** The server checks the MD5 of the bytes; that it has kept them is checked here. */
  async #put(
    key: string,
    { file, digest }: Pick<Incoming, 'file' | 'digest'>,
    bytes: Uint8Array,
    { replaceDamaged = false }: PublishOptions,
  ): Promise<void> {
    const { path } = file;
    const allZeros = bytes.length > 0 && isAllZeros(bytes);
    if (!replaceDamaged && (allZeros || !isFresh(file)))
      await this.#refuseDamage(key, { file, digest, allZeros });
    const md5 = createHash('md5').update(bytes).digest();
    const body = { bytes, md5: md5.toString('base64') };
    const attributes = { ...this.#settings, metadata: toMetadata(file, { digest }) };
    const { etag } = await putObject(this.#bucket, key, body, attributes, { path });
    if (etag === md5.toString('hex')) return;
    // An ETag that is no MD5, as with SSE-KMS.
    const head = await headObject(this.#bucket, key, { path });
    // Another version of the file may have come right after ours.
    if (head === undefined || (head.etag === etag && head.size !== bytes.length))
      throw new IsyncError(
        'STORE_FAILED',
        `${head?.size ?? 'no'} bytes are kept where ${bytes.length} were put`,
        {
          path,
          retryable: true,
        },
      );
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

/** Not one of the future: of that the clock tells nothing. */
function isFresh({ mtimeUs }: FileEntry): boolean {
  const ageMs = Date.now() - mtimeUs / 1000;
  return ageMs >= 0 && ageMs < FRESH_MS;
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
