import { createHash } from 'node:crypto';
import type { ByteSink, Packed, Sealer } from './pack.ts';

/** Encrypts what it gets, where there is a sealer, and measures what it hands on: the archive as it is stored. */
export class ArchiveSink implements ByteSink {
  readonly #sealer: Sealer | undefined;
  readonly #sink: ByteSink;
  readonly #hash = createHash('sha256');
  #size = 0;

  constructor(sealer: Sealer | undefined, sink: ByteSink) {
    this.#sealer = sealer;
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#pass(this.#sealer?.seal(bytes) ?? bytes);
  }

  /** Once, after the last write. */
  async end(): Promise<Pick<Packed, 'size' | 'sha256'>> {
    if (this.#sealer !== undefined) await this.#pass(this.#sealer.end());
    return { size: this.#size, sha256: this.#hash.digest('hex') };
  }

  async #pass(bytes: Uint8Array): Promise<void> {
    // A sealer may hold everything back.
    if (bytes.length === 0) return;
    this.#hash.update(bytes);
    this.#size += bytes.length;
    await this.#sink.write(bytes);
  }
}
