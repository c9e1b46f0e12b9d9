import { createHash } from 'node:crypto';
import type { ObjectSettings } from '../../s3/object-attributes.ts';
import { type Body, getObject, putObject, putObjectIfAbsent, removeObject } from '../../s3/objects.ts';
import type { Bucket, RequestOptions } from '../../s3/requests.ts';

/**
 * The small objects that a store keeps for itself. They are encrypted like all others, but have neither storage class nor
 * tags, which may cost extra.
 */
export class OwnObjects {
  readonly bucket: Bucket;
  readonly #settings: ObjectSettings;

  constructor(bucket: Bucket, { sse, sseKmsKeyId }: ObjectSettings) {
    this.bucket = bucket;
    this.#settings = { sse, sseKmsKeyId };
  }

  /** The first `mostBytes` of an object; undefined where there is none. */
  async read(key: string, mostBytes: number, request: RequestOptions = {}): Promise<Buffer | undefined> {
    using found = await getObject(this.bucket, key, request);
    if (found === undefined) return undefined;
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of found.bytes) {
      pieces.push(piece);
      size += piece.length;
      if (size >= mostBytes) break;
    }
    return Buffer.concat(pieces).subarray(0, mostBytes);
  }

  async put(
    key: string,
    bytes: Uint8Array,
    contentType: string,
    request: RequestOptions = {},
  ): Promise<void> {
    await putObject(this.bucket, key, bodyOf(bytes), this.#attributes(contentType), request);
  }

  /** Puts an object unless the key is in use. Where the server does not know this condition, the last of several wins. */
  async putIfAbsent(
    key: string,
    bytes: Uint8Array,
    contentType: string,
    request: RequestOptions = {},
  ): Promise<void> {
    const attributes = this.#attributes(contentType);
    const outcome = await putObjectIfAbsent(this.bucket, key, bodyOf(bytes), attributes, request);
    if (outcome === 'unsupported') await this.put(key, bytes, contentType, request);
  }

  /** An object that is gone already is fine. */
  async remove(key: string, request: RequestOptions = {}): Promise<void> {
    await removeObject(this.bucket, key, request);
  }

  #attributes(contentType: string) {
    return { ...this.#settings, headers: { contentType } };
  }
}

function bodyOf(bytes: Uint8Array): Body {
  return { bytes, md5: createHash('md5').update(bytes).digest('base64') };
}
