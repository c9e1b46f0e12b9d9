import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  type StorageClass,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Window } from '../window.ts';
import type { ListedPart } from './part-ledger.ts';
import { CONNECTIONS, createS3Client } from './s3-client.ts';
import { isAbsent, s3Error } from './s3-errors.ts';
import type { S3StoreOptions } from './s3-options.ts';

/** Most that one answer tells of a listing; the servers' own limit. */
const PAGE = 1000;

export interface ObjectHead {
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs: number;
}

export interface ListedUpload {
  readonly key: string;
  readonly uploadId: string;
  readonly startedMs: number;
}

/** What an object shall be like. */
export interface ObjectAttributes {
  readonly metadata: Record<string, string>;
}

export interface Body {
  readonly bytes: Uint8Array;
  /** MD5 of the bytes, base64: the server refuses what was damaged on its way. */
  readonly md5: string;
}

/** Of the SDK. */
interface HttpHandlerOptions {
  abortSignal?: AbortSignal;
}

export interface Request {
  readonly signal?: AbortSignal | undefined;
  /** The path concerned, for people. */
  readonly path?: string | undefined;
}

/** What the server has kept. */
export interface Stored {
  readonly etag: string;
}

/**
 * The requests that the store makes, each once and typed. They reject with an IsyncError, or the signal's reason.
 * No more of them than there are connections are signed and sent; the others wait before that.
 */
export class Bucket implements Disposable {
  /** For people. */
  readonly where: string;
  readonly #bucket: string;
  readonly #client: S3Client;
  readonly #window = new Window(CONNECTIONS);
  readonly #attributes: Pick<S3StoreOptions, 'storageClass' | 'sse' | 'sseKmsKeyId' | 'tags'>;

  constructor(options: S3StoreOptions) {
    this.#bucket = options.bucket;
    this.#attributes = options;
    this.where = `s3://${options.bucket}${options.endpoint === undefined ? '' : ` at ${options.endpoint}`}`;
    this.#client = createS3Client(options);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  async head(key: string, request: Request = {}): Promise<ObjectHead | undefined> {
    const found = await this.#unlessAbsent(request, (options) =>
      this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }), options),
    );
    return (
      found && {
        size: found.ContentLength ?? 0,
        modifiedMs: found.LastModified?.getTime() ?? 0,
        etag: bare(found.ETag),
        metadata: found.Metadata ?? {},
      }
    );
  }

  /** Tells the bytes of an object piece by piece; resolves to false where there is none. */
  async read(key: string, take: (piece: Uint8Array) => void, request: Request = {}): Promise<boolean> {
    const found = await this.#unlessAbsent(request, (options) =>
      this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }), options),
    );
    if (found === undefined) return false;
    await this.#guard(request, async () => {
      let size = 0;
      for await (const piece of found.Body instanceof Readable ? found.Body : []) {
        if (!(piece instanceof Uint8Array)) continue;
        size += piece.length;
        take(piece);
      }
      if (found.ContentLength !== undefined && size !== found.ContentLength)
        throw Object.assign(new Error(`${size} of ${found.ContentLength} bytes`), { code: 'ECONNRESET' });
    });
    return true;
  }

  async put(
    key: string,
    { bytes, md5 }: Body,
    attributes: ObjectAttributes,
    request: Request = {},
  ): Promise<Stored> {
    const stored = await this.#run(request, (options) =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: bytes,
          ContentLength: bytes.length,
          ContentMD5: md5,
          ...this.#common(attributes),
        }),
        options,
      ),
    );
    return { etag: bare(stored.ETag) };
  }

  /** One of our own objects: no storage class or tags, which may cost extra, but encrypted like all others. */
  async putOwn(key: string, { bytes, md5 }: Body, request: Request = {}): Promise<void> {
    const { sse, sseKmsKeyId } = this.#attributes;
    await this.#run(request, (options) =>
      this.#client.send(
        new PutObjectCommand({
          Bucket: this.#bucket,
          Key: key,
          Body: bytes,
          ContentLength: bytes.length,
          ContentMD5: md5,
          ContentType: 'application/json',
          ServerSideEncryption: sse,
          SSEKMSKeyId: sseKmsKeyId,
        }),
        options,
      ),
    );
  }

  async remove(key: string, request: Request = {}): Promise<void> {
    await this.#unlessAbsent(request, (options) =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), options),
    );
  }

  /** Every object whose key begins with `prefix`, a page at a time. */
  async *list(prefix: string, request: Request = {}, most = PAGE): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const page = await this.#run(request, (options) =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            MaxKeys: most,
            ContinuationToken: token,
            EncodingType: 'url',
          }),
          options,
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? [])
        yield {
          key: decodeKey(Key, page.EncodingType),
          size: Size ?? 0,
          modifiedMs: LastModified?.getTime() ?? 0,
        };
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async startUpload(key: string, attributes: ObjectAttributes, request: Request = {}): Promise<string> {
    const { UploadId } = await this.#run(request, (options) =>
      this.#client.send(
        new CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key, ...this.#common(attributes) }),
        options,
      ),
    );
    if (UploadId !== undefined) return UploadId;
    throw s3Error(Object.assign(new Error('an upload without an id'), { $metadata: {} }), this.where);
  }

  async putPart(
    upload: UploadKey,
    number: number,
    { bytes, md5 }: Body,
    request: Request = {},
  ): Promise<Stored> {
    const stored = await this.#run(request, (options) =>
      this.#client.send(
        new UploadPartCommand({
          Bucket: this.#bucket,
          Key: upload.key,
          UploadId: upload.uploadId,
          PartNumber: number,
          Body: bytes,
          ContentLength: bytes.length,
          ContentMD5: md5,
        }),
        options,
      ),
    );
    return { etag: bare(stored.ETag) };
  }

  /** The parts of an upload that the server has, in order of their numbers; none where there is no such upload. */
  async *listParts(upload: UploadKey, request: Request = {}): AsyncGenerator<ListedPart> {
    let marker: string | undefined;
    do {
      const page = await this.#unlessAbsent(request, (options) =>
        this.#client.send(
          new ListPartsCommand({
            Bucket: this.#bucket,
            Key: upload.key,
            UploadId: upload.uploadId,
            MaxParts: PAGE,
            PartNumberMarker: marker,
          }),
          options,
        ),
      );
      for (const { PartNumber, Size, ETag } of page?.Parts ?? [])
        yield { number: PartNumber ?? 0, size: Size ?? 0, etag: bare(ETag) };
      marker = page?.IsTruncated === true ? page.NextPartNumberMarker : undefined;
    } while (marker !== undefined);
  }

  /** Makes the object of parts with just these ETags; a server that has others refuses. Rejects with what the SDK throws. */
  async complete(upload: UploadKey, etags: readonly string[]): Promise<void> {
    await this.#window.run(() =>
      this.#client.send(
        new CompleteMultipartUploadCommand({
          Bucket: this.#bucket,
          Key: upload.key,
          UploadId: upload.uploadId,
          MultipartUpload: {
            Parts: etags.map((etag, index) => ({ PartNumber: index + 1, ETag: `"${etag}"` })),
          },
        }),
      ),
    );
  }

  /** Throws an upload and its parts away; one that is gone already is fine. */
  async abort(upload: UploadKey, request: Request = {}): Promise<void> {
    await this.#unlessAbsent(request, (options) =>
      this.#client.send(
        new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: upload.key, UploadId: upload.uploadId }),
        options,
      ),
    );
  }

  /** Every multipart upload under way to a key that begins with `prefix`, a page at a time. */
  async *listUploads(prefix: string, request: Request = {}): AsyncGenerator<ListedUpload> {
    let after: { key: string | undefined; uploadId: string | undefined } | undefined;
    do {
      const page = await this.#run(request, (options) =>
        this.#client.send(
          new ListMultipartUploadsCommand({
            Bucket: this.#bucket,
            Prefix: prefix,
            MaxUploads: PAGE,
            KeyMarker: after?.key,
            UploadIdMarker: after?.uploadId,
            EncodingType: 'url',
          }),
          options,
        ),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (UploadId !== undefined)
          yield {
            key: decodeKey(Key, page.EncodingType),
            uploadId: UploadId,
            startedMs: Initiated?.getTime() ?? Date.now(),
          };
      after =
        page.IsTruncated === true && page.NextKeyMarker !== undefined
          ? { key: decodeKey(page.NextKeyMarker, page.EncodingType), uploadId: page.NextUploadIdMarker }
          : undefined;
    } while (after !== undefined);
  }

  #common({ metadata }: ObjectAttributes) {
    const { storageClass, sse, sseKmsKeyId, tags } = this.#attributes;
    return {
      Metadata: metadata,
      ...(storageClass !== undefined && isStorageClass(storageClass) && { StorageClass: storageClass }),
      ...(sse !== undefined && { ServerSideEncryption: sse }),
      ...(sseKmsKeyId !== undefined && { SSEKMSKeyId: sseKmsKeyId }),
      ...(tags !== undefined && { Tagging: new URLSearchParams(tags).toString() }),
    };
  }

  #run<T>(request: Request, send: (options: HttpHandlerOptions) => Promise<T>): Promise<T> {
    return this.#guard(request, () =>
      this.#window.run(() => send(request.signal === undefined ? {} : { abortSignal: request.signal })),
    );
  }

  async #unlessAbsent<T>(
    request: Request,
    send: (options: HttpHandlerOptions) => Promise<T>,
  ): Promise<T | undefined> {
    return this.#run(request, async (options) => {
      try {
        return await send(options);
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    });
  }

  async #guard<T>({ signal, path }: Request, run: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Error(error, this.where, path);
    }
  }
}

/** A multipart upload, as the server knows it. */
export interface UploadKey {
  readonly key: string;
  readonly uploadId: string;
}

/** Servers have classes of their own, so the SDK's list is not the last word. */
function isStorageClass(name: string): name is StorageClass {
  return name !== '';
}

/** In listings we ask for keys in the form of a query string: XML can't hold every character. */
function decodeKey(key: string | undefined, encoding: string | undefined): string {
  if (key === undefined) return '';
  return encoding === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
}

/** An ETag without its quotes. */
function bare(etag: string | undefined): string {
  return (etag ?? '').replaceAll('"', '');
}
