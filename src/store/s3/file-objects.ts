import { createHash } from 'node:crypto';
import { isAllZeros } from '../../model/damage.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { RelPath } from '../../model/rel-path.ts';
import type { ObjectSettings } from '../../s3/object-attributes.ts';
import type { ObjectHead } from '../../s3/content.ts';
import { isRefusal } from '../../s3/errors.ts';
import { getObject, headObject, MOST_QUICK_BYTES, putObject } from '../../s3/objects.ts';
import type { Bucket, RequestOptions } from '../../s3/requests.ts';
import { digestAll } from '../read-digest.ts';
import { type Incoming, refuseDamage } from '../rules/damage-rule.ts';
import { replaced } from '../store-errors.ts';
import type { PublishOptions, ReadOptions, StoredFile } from '../store.ts';
import { digestIn, mtimeOf, toMetadata } from './metadata.ts';

/**
 * Age in ms up to which an mtime counts as fresh. A fresh file of one request is put without a look at what it replaces: a
 * power cut and the start after it take the device longer, and a look at each live file would cost a request. A device
 * whose clock is ahead by just the age of a damaged file escapes the look.
 */
const FRESH_MS = 10_000;

/** A file of the store and its object. */
export interface FilePlace {
  readonly key: string;
  readonly path: RelPath;
}

/** Which bytes are wanted; see ReadOptions. */
type Range = Pick<ReadOptions, 'start' | 'length'>;

/** The objects of a store's files, one object a file. */
export class FileObjects {
  readonly settings: ObjectSettings;
  readonly #bucket: Bucket;

  /** @param settings what each new object is given */
  constructor(bucket: Bucket, { storageClass, sse, sseKmsKeyId, tags }: ObjectSettings) {
    this.#bucket = bucket;
    this.settings = { storageClass, sse, sseKmsKeyId, tags };
  }

  async stat({ key, path }: FilePlace, request: RequestOptions = {}): Promise<FileEntry | undefined> {
    const head = await headObject(this.#bucket, key, { ...request, path });
    return head && entryOf(path, head);
  }

  /** The file with the bytes of just this version; see `Store.read`. Some of them come with one request. */
  async read({ key, path }: FilePlace, { start = 0, length }: Range, request: RequestOptions) {
    if (length !== undefined && length > 0) {
      const end = start + length;
      using found = await getObject(this.#bucket, key, { ...request, path, start, end });
      if (found === undefined) return undefined;
      const wanted = Math.max(0, Math.min(end, found.size) - start);
      return storedOf(path, found, once(await collect(found.bytes, wanted, path)));
    }
    const head = await this.#headToRead(key, { ...request, path });
    if (head === undefined) return undefined;
    const { etag: ifMatch } = head;
    const bytes = length === 0 ? once() : bytesOf(this.#bucket, key, { ...request, path, start, ifMatch });
    return storedOf(path, head, bytes);
  }

  /**
   * Publishes a whole file. The server checks the MD5 of the bytes; that it has kept them is checked here.
   * @throws IsyncError SOURCE_DAMAGED
   */
  async put(
    key: string,
    { file, digest }: Pick<Incoming, 'file' | 'digest'>,
    bytes: Uint8Array,
    { replaceDamaged = false }: PublishOptions,
  ): Promise<void> {
    const { path } = file;
    const allZeros = bytes.length > 0 && isAllZeros(bytes);
    if (!replaceDamaged && (allZeros || !isFresh(file)))
      await this.refuseDamage(key, { file, digest, allZeros });
    const md5 = createHash('md5').update(bytes).digest();
    const body = { bytes, md5: md5.toString('base64') };
    const attributes = { ...this.settings, metadata: toMetadata(file, { digest }) };
    const isQuick = bytes.length <= MOST_QUICK_BYTES;
    const { etag } = await putObject(this.#bucket, key, body, attributes, { path, isQuick });
    if (etag === md5.toString('hex')) return;
    // An ETag that is no MD5, as with SSE-KMS.
    const head = await headObject(this.#bucket, key, { path });
    // Another version of the file may have come right after ours.
    if (head !== undefined && (head.etag !== etag || head.size === bytes.length)) return;
    const message = `${head?.size ?? 'no'} bytes are kept where ${bytes.length} were put`;
    throw new IsyncError('STORE_FAILED', message, { path, retryable: true });
  }

  /**
   * Looks at what is kept before the caller puts. Another process may publish in between, as with `--immutable`.
   * @throws IsyncError SOURCE_DAMAGED
   */
  async refuseDamage(key: string, incoming: Incoming): Promise<void> {
    const { path } = incoming.file;
    const kept = await this.stat({ key, path });
    await refuseDamage(kept, incoming, (algorithm) => this.#digestOf({ key, path }, algorithm));
  }

  /** The answer to a HEAD has no body that tells why it is refused; that to a GET tells. */
  async #headToRead(key: string, request: RequestOptions): Promise<ObjectHead | undefined> {
    try {
      return await headObject(this.#bucket, key, request);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      using _ = await getObject(this.#bucket, key, request);
      throw error;
    }
  }

  async #digestOf({ key, path }: FilePlace, algorithm: DigestAlgorithm): Promise<Buffer | undefined> {
    using found = await getObject(this.#bucket, key, { path });
    return found && (await digestAll(found.bytes, algorithm));
  }
}

/** Whether the look at what a file replaces can be spared; never for an mtime in the future, which tells nothing. */
export function isFresh({ mtimeUs }: FileEntry): boolean {
  const ageMs = Date.now() - mtimeUs / 1000;
  return ageMs >= 0 && ageMs < FRESH_MS;
}

function entryOf(path: RelPath, head: ObjectHead): FileEntry {
  return { path, size: head.size, mtimeUs: mtimeOf(head.metadata) ?? head.modifiedMs * 1000 };
}

function storedOf(path: RelPath, head: ObjectHead, bytes: AsyncIterable<Uint8Array>): StoredFile {
  // Some servers may tell no ETag.
  const version = head.etag === '' ? undefined : head.etag;
  return { entry: entryOf(path, head), version, digest: digestIn(head.metadata), bytes };
}

/** The first `length` bytes that come, in one piece. A server that heeds no range sends more. */
async function collect(bytes: AsyncIterable<Uint8Array>, length: number, path: RelPath): Promise<Buffer> {
  const all = Buffer.allocUnsafe(length);
  let count = 0;
  for await (const piece of bytes) {
    const part = piece.subarray(0, length - count);
    all.set(part, count);
    count += part.length;
    if (count === length) break;
  }
  if (count < length) throw replaced(path);
  return all;
}

async function* once(bytes?: Buffer): AsyncGenerator<Uint8Array> {
  if (bytes !== undefined && bytes.length > 0) yield bytes;
}

/** Nothing is asked for, and no connection held, before the first byte is wanted. */
async function* bytesOf(
  bucket: Bucket,
  key: string,
  options: Parameters<typeof getObject>[2] & { readonly path: RelPath },
): AsyncGenerator<Uint8Array> {
  using found = await getObject(bucket, key, options);
  if (found === undefined) throw replaced(options.path);
  yield* found.bytes;
}
