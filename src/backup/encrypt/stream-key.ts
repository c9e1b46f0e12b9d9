import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** Bytes of a chunk before encryption; of the last one, fewer. https://age-encryption.org/v1, "Payload". */
export const CHUNK_BYTES = 64 * 1024;
/** Bytes that each chunk grows by. */
export const TAG_BYTES = 16;
/** Bytes of random before the first chunk. */
export const NONCE_BYTES = 16;
const CIPHER = 'chacha20-poly1305';

/** The chunks of one payload of age, each by its number and whether it is the last. */
export class StreamKey {
  readonly #key: Buffer;

  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
  }

  /** The chunk with its tag, in two pieces. */
  seal(chunk: Uint8Array, number: number, isLast: boolean): [Uint8Array, Uint8Array] {
    const cipher = createCipheriv(CIPHER, this.#key, nonceOf(number, isLast), { authTagLength: TAG_BYTES });
    const sealed = cipher.update(chunk);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  }

  /** Undefined where it is not what was sealed. */
  open(sealed: Uint8Array, number: number, isLast: boolean): Uint8Array | undefined {
    if (sealed.length < TAG_BYTES) return undefined;
    const nonce = nonceOf(number, isLast);
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const chunk = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return chunk;
  }
}

/** Eleven bytes of number, big-endian, and one that tells the last chunk. */
function nonceOf(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(number), 3);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}
