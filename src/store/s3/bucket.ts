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
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { IsyncError } from '../../model/isync-error.ts';
import { Limiter } from '../../flow/limiter.ts';
import type { ListedPart } from './part-ledger.ts';
import { bare, decodeKey } from '../../s3/answers.ts';
import { tellingBodySent } from '../../s3/body-sent.ts';
import type { ObjectSettings } from '../../s3/access.ts';
import { toInput, type ObjectAttributes } from '../../s3/object-attributes.ts';
import type { UploadKey } from '../../s3/upload-key.ts';
import { CONNECTIONS, createS3Client } from '../../s3/client.ts';
import { isAbsent, s3Error, statusOf } from '../../s3/errors.ts';
import type { S3StoreOptions } from './s3-options.ts';

/** The servers' own limit of what one answer tells. */
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

export interface Body {
  readonly bytes: Uint8Array;
  /** MD5 of the bytes, base64: the server refuses what was damaged on its way. */
  readonly md5: string;
}

export interface PartBody extends Body {
  /** Told when the body has been handed to the kernel whole; anew for each try, not where a refusal comes first. */
  readonly sent: () => void;
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
 *
 * Not called `Bucket`, as a field of every request is: TypeScript 7.0.2, where it makes an alias of a class, gives it to
 * fields of that name as well.
 */
export class S3Bucket implements Disposable {
  /** For people. */
  readonly where: string;
  readonly #bucket: string;
  readonly #client: S3Client;
  readonly #page: number;
  readonly #limiter = new Limiter(CONNECTIONS);
  readonly #settings: ObjectSettings;

  /** @param page most that one answer tells of a listing */
  constructor(options: S3StoreOptions, page = PAGE) {
    this.#page = page;
    this.#bucket = options.bucket;
    this.#settings = options;
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
          ...toInput(attributes, this.#settings),
        }),
        options,
      ),
    );
    return { etag: bare(stored.ETag) };
  }

  /** One of our own objects: no storage class or tags, which may cost extra, but encrypted like all others. */
  async putOwn(key: string, body: Body, request: Request = {}): Promise<void> {
    const command = this.#ownObject(key, body, 'application/json');
    await this.#run(request, (options) => this.#client.send(command, options));
  }

  /** Puts one of our own objects unless the key is in use. A server that does not know this condition lets the last win. */
  async putOwnOnce(key: string, body: Body, request: Request = {}): Promise<void> {
    await this.#run(request, async (options) => {
      try {
        await this.#client.send(this.#ownObject(key, body, 'text/plain', '*'), options);
      } catch (error) {
        const status = statusOf(error);
        if (status === 412 || status === 409) return; // It is there, or is just being put.
        if (status !== 400 && status !== 501) throw error;
        await this.#client.send(this.#ownObject(key, body, 'text/plain'), options);
      }
    });
  }

  #ownObject(key: string, { bytes, md5 }: Body, contentType: string, ifNoneMatch?: string) {
    const { sse, sseKmsKeyId } = this.#settings;
    return new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: bytes,
      ContentLength: bytes.length,
      ContentMD5: md5,
      ContentType: contentType,
      IfNoneMatch: ifNoneMatch,
      ServerSideEncryption: sse,
      SSEKMSKeyId: sseKmsKeyId,
    });
  }

  async remove(key: string, request: Request = {}): Promise<void> {
    await this.#unlessAbsent(request, (options) =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: key }), options),
    );
  }

  /** Rejects with why the bucket can't be used, as far as that can be told without a write. */
  async check(prefix: string): Promise<void> {
    await this.#run({}, (options) =>
      this.#client.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, MaxKeys: 1 }),
        options,
      ),
    );
  }

  /** Every object whose key begins with `prefix`, a page at a time. */
  async *list(prefix: string, request: Request = {}): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const page = await this.#run(request, (options) =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: prefix,
            MaxKeys: this.#page,
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
      const next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      this.#checkForward(token, next);
      token = next;
    } while (token !== undefined);
  }

  async startUpload(key: string, attributes: ObjectAttributes, request: Request = {}): Promise<string> {
    const { UploadId } = await this.#run(request, (options) =>
      this.#client.send(
        new CreateMultipartUploadCommand({
          Bucket: this.#bucket,
          Key: key,
          ...toInput(attributes, this.#settings),
        }),
        options,
      ),
    );
    if (UploadId !== undefined) return UploadId;
    throw s3Error(Object.assign(new Error('an upload without an id'), { $metadata: {} }), this.where);
  }

  async putPart(
    upload: UploadKey,
    number: number,
    { bytes, md5, sent }: PartBody,
    request: Request = {},
  ): Promise<Stored> {
    const command = new UploadPartCommand({
      Bucket: this.#bucket,
      Key: upload.key,
      UploadId: upload.uploadId,
      PartNumber: number,
      Body: bytes,
      ContentLength: bytes.length,
      ContentMD5: md5,
    });
    const stored = await this.#run(request, (options) =>
      tellingBodySent(sent, () => this.#client.send(command, options)),
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
            MaxParts: this.#page,
            PartNumberMarker: marker,
          }),
          options,
        ),
      );
      for (const { PartNumber, Size, ETag } of page?.Parts ?? [])
        yield { number: PartNumber ?? 0, size: Size ?? 0, etag: bare(ETag) };
      const next = page?.IsTruncated === true ? page.NextPartNumberMarker : undefined;
      this.#checkForward(marker, next);
      marker = next;
    } while (marker !== undefined);
  }

  /** Makes the object of parts with just these ETags; a server that has others refuses. Rejects with what the SDK throws. */
  async complete(upload: UploadKey, etags: readonly string[]): Promise<void> {
    await this.#limiter.run(() =>
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

  /**
   * Every multipart upload under way to a key that begins with `prefix`, a page at a time. Keys are not asked for in
   * another form here, because not every server then says in which form the answer is.
   */
  async *listUploads(prefix: string, request: Request = {}): AsyncGenerator<ListedUpload> {
    let after: { key: string; uploadId: string | undefined } | undefined;
    do {
      const page = await this.#run(request, (options) =>
        this.#client.send(
          new ListMultipartUploadsCommand({
            Bucket: this.#bucket,
            Prefix: prefix,
            MaxUploads: this.#page,
            KeyMarker: after?.key,
            UploadIdMarker: after?.uploadId,
          }),
          options,
        ),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (UploadId !== undefined)
          yield {
            key: Key ?? '',
            uploadId: UploadId,
            startedMs: Initiated?.getTime() ?? Date.now(),
          };
      const next =
        page.IsTruncated === true && page.NextKeyMarker !== undefined
          ? { key: page.NextKeyMarker, uploadId: page.NextUploadIdMarker }
          : undefined;
      this.#checkForward(after && `${after.key} ${after.uploadId}`, next && `${next.key} ${next.uploadId}`);
      after = next;
    } while (after !== undefined);
  }

  /** A server that tells the same page again and again must not keep us for ever. */
  #checkForward(mark: string | undefined, next: string | undefined): void {
    if (next === undefined || next !== mark) return;
    throw new IsyncError('STORE_FAILED', `a listing of ${this.where} does not come forward`);
  }

  #run<T>(request: Request, send: (options: HttpHandlerOptions | undefined) => Promise<T>): Promise<T> {
    return this.#guard(request, () =>
      this.#limiter.run(() => send(request.signal && { abortSignal: request.signal })),
    );
  }

  async #unlessAbsent<T>(
    request: Request,
    send: (options: HttpHandlerOptions | undefined) => Promise<T>,
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
