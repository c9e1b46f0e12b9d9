import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';

/**
 * Whole-file digests. `xxh64` (XXH64, seed 0, 8 bytes big-endian) detects accidents at the speed of memory; `sha256`
 * (FIPS 180-4, 32 bytes) is for users who must prove content to others.
 */
export const DIGEST_ALGORITHMS = ['xxh64', 'sha256'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Length of a digest in bytes. */
export const DIGEST_BYTES: Readonly<Record<DigestAlgorithm, number>> = { xxh64: 8, sha256: 32 };

/** Computes a digest. `update` may be called any number of times, then `digest` once. */
export interface Digester {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

const xxh = await xxhash();

export function createDigester(algorithm: DigestAlgorithm): Digester {
  if (algorithm === 'sha256') {
    const hash = createHash('sha256');
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  }
  const hash = xxh.create64();
  return { update: (bytes) => void hash.update(bytes), digest: () => bigEndian64(hash.digest()) };
}

/** The digest of `bytes` as a whole file. */
export function digestOf(algorithm: DigestAlgorithm, bytes: Uint8Array): Buffer {
  if (algorithm === 'sha256') return createHash('sha256').update(bytes).digest();
  return bigEndian64(xxh.h64Raw(bytes));
}

function bigEndian64(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
