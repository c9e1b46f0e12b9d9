import type { Abortable } from '../../model/abortable.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import type { Sealer } from '../pack/pack.ts';

/**
 * age (https://age-encryption.org/v1): the header by age-encryption, the payload by node:crypto. A machine that makes backups has
 * public keys only.
 */
export interface Encryption {
  /** A new object: its secrets, which the state of a run keeps until the object is complete (see SealSecrets). */
  begin(): Promise<SealSecrets>;
  /** The same secrets give the same bytes. */
  sealer(secrets: SealSecrets): Sealer;
}

/**
 * With these, an archive that was begun can be made again byte for byte. They open this one object, and nothing else. Never may other bytes
 * encrypted with them leave this machine: of two texts under one key and nonce, whoever sees both learns much of each. So an
 * archive that turns out differently begins anew, with new ones (see ArchiveUpload).
 */
export interface SealSecrets {
  readonly header: Uint8Array;
  /** 16 bytes each. */
  readonly fileKey: Uint8Array;
  readonly nonce: Uint8Array;
}

/** Opens what a private key can open. */
export interface Decryption {
  /**
   * Reads the header of an object, and returns what is in it, of which any range can be read: each chunk of 64 KiB is checked.
   * @throws IsyncError KEY_MISSING where no key of ours opens it, DIGEST_MISMATCH where it is damaged
   */
  open(sealed: ByteRanges, options?: Abortable): Promise<ByteRanges>;
}
