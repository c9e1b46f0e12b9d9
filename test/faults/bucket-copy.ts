import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { clientFor, type S3Access } from '../../harness/s3-access.ts';
import type { Content, Copy, Kept } from './copy.ts';

export interface BucketPlace {
  readonly store: 'bucket';
  /** The server itself, past all that goes wrong on the way to it. */
  readonly access: S3Access;
  readonly bucket: string;
  /** Of the store. */
  readonly prefix: string;
  readonly device: string;
}

/** The device's objects, through a client of the server's own. */
export class BucketCopy implements Copy {
  readonly #place: BucketPlace;
  readonly #client;

  constructor(place: BucketPlace) {
    this.#place = place;
    this.#client = clientFor(place.access);
  }

  async *list(): AsyncGenerator<Kept> {
    const { prefix, device } = this.#place;
    yield* this.#below(`${prefix}/${device}/`);
  }

  async tagsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const wanted = new Set(paths);
    const tags = new Map<string, string>();
    for await (const { path, tag } of this.list()) if (wanted.has(path)) tags.set(path, tag);
    return tags;
  }

  async read(path: string): Promise<Content | undefined> {
    const { bucket, prefix, device } = this.#place;
    try {
      const { Body, ETag, Metadata } = await this.#client.send(
        new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${device}/${path}` }),
      );
      if (Body === undefined) throw new Error(`${path}: no content`);
      const bytes = Buffer.from(await Body.transformToByteArray());
      return { bytes, tag: ETag ?? '', mtimeMs: Number(Metadata?.['mtime']) * 1000 };
    } catch (thrown) {
      if (thrown instanceof Error && thrown.name === 'NoSuchKey') return undefined;
      throw thrown;
    }
  }

  async strangers(): Promise<string[]> {
    const { prefix, device } = this.#place;
    const found: string[] = [];
    for await (const { path } of this.#below(`${prefix}/`))
      if (!path.startsWith(`${device}/`) && !path.startsWith('.isync/')) found.push(path);
    return found;
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  async *#below(start: string): AsyncGenerator<Kept> {
    // Keys have characters that XML can't carry.
    for await (const { Contents = [] } of paginateListObjectsV2(
      { client: this.#client },
      { Bucket: this.#place.bucket, Prefix: start, EncodingType: 'url' },
    ))
      for (const { Key = '', ETag = '' } of Contents)
        yield { path: decodeURIComponent(Key.replaceAll('+', ' ')).slice(start.length), tag: ETag };
  }
}
