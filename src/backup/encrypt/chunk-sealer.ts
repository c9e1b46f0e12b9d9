import type { Sealer } from '../pack/pack.ts';
import type { SealSecrets } from './encryption.ts';
import { CHUNK_BYTES, StreamKey } from './stream-key.ts';

/** Encrypts one object as age does: its header, the nonce, then chunks of 64 KiB. */
export class ChunkSealer implements Sealer {
  readonly #key: StreamKey;
  readonly #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #filled = 0;
  #number = 0;
  /** What goes before the next chunk: the header and the nonce. */
  #before: readonly Uint8Array[];

  constructor({ header, fileKey, nonce }: SealSecrets) {
    this.#key = new StreamKey(fileKey, nonce);
    this.#before = [header, nonce];
  }

  seal(bytes: Uint8Array): Uint8Array {
    const sealed = this.#begin();
    for (let at = 0; at < bytes.length;) {
      // A full chunk waits until another byte comes: only then is it not the last.
      if (this.#filled === CHUNK_BYTES) this.#close(sealed, false);
      const part = bytes.subarray(at, at + CHUNK_BYTES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
    return Buffer.concat(sealed);
  }

  end(): Uint8Array {
    const sealed = this.#begin();
    this.#close(sealed, true);
    return Buffer.concat(sealed);
  }

  #begin(): Uint8Array[] {
    const sealed = [...this.#before];
    this.#before = [];
    return sealed;
  }

  #close(sealed: Uint8Array[], isLast: boolean): void {
    sealed.push(...this.#key.seal(this.#chunk.subarray(0, this.#filled), this.#number++, isLast));
    this.#filled = 0;
  }
}
