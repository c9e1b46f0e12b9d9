import type { DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import { checkContent } from '../check-digest.ts';
import type { FileDigest } from '../store.ts';
import type { Lease, PartBuffers } from './part-buffers.ts';
import type { S3Body } from './s3-body.ts';

/** A file no larger than a part. It is kept in memory until it is put as a whole. */
export class SmallBody implements S3Body {
  readonly #file: FileEntry;
  readonly #algorithm: DigestAlgorithm;
  readonly #buffers: PartBuffers;
  readonly #put: (bytes: Uint8Array, digest: FileDigest) => Promise<void>;
  #lease: Lease | undefined;
  #offset = 0;
  #failure: IsyncError | undefined;

  constructor(
    file: FileEntry,
    algorithm: DigestAlgorithm,
    buffers: PartBuffers,
    put: (bytes: Uint8Array, digest: FileDigest) => Promise<void>,
  ) {
    this.#file = file;
    this.#algorithm = algorithm;
    this.#buffers = buffers;
    this.#put = put;
  }

  get offset(): number {
    return this.#offset;
  }

  async ready(): Promise<void> {
    if (this.#file.size === 0) return;
    this.#lease ??= await this.#buffers.take(this.#file.size, (error) => {
      this.#failure = error;
    });
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    for (const bytes of chunks) {
      if (bytes.length === 0) continue;
      await this.ready();
      if (this.#failure !== undefined) throw this.#failure;
      this.#lease?.touch();
      this.#lease?.bytes.set(bytes, this.#offset);
      this.#offset += bytes.length;
    }
  }

  async publish(value: Uint8Array): Promise<void> {
    this.#lease?.pin();
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const bytes = this.#lease?.bytes.subarray(0, this.#offset) ?? Buffer.alloc(0);
      const digest = { algorithm: this.#algorithm, value };
      checkContent(this.#file, bytes, digest);
      await this.#put(bytes, digest);
    } finally {
      this.#release();
    }
  }

  async letGo(): Promise<void> {
    this.#release();
  }

  #release(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }
}
