import { damageOf, isAllZeros } from '../../model/damage.ts';
import type { Digester, DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import type { FileDigest } from '../store.ts';
import { sourceDamaged } from '../store-errors.ts';

/** An incoming version: all of its bytes are here and have been checked. */
export interface Incoming {
  readonly file: FileEntry;
  readonly digest: FileDigest;
  /** Its content is nothing but zeros. */
  readonly allZeros: boolean;
}

/**
 * Refuses an incoming version that a power cut seems to have damaged. `digestKept` is called only where the incoming
 * content is nothing but zeros, and has the size and mtime of the kept version.
 *
 * @param digestKept the kept bytes' digest; undefined where they are gone by now
 * @throws IsyncError SOURCE_DAMAGED
 */
export async function refuseDamage(
  kept: FileEntry | undefined,
  { file, digest, allZeros }: Incoming,
  digestKept: (algorithm: DigestAlgorithm) => Promise<Buffer | undefined>,
): Promise<void> {
  const damage = kept && damageOf(kept, file, allZeros);
  if (kept === undefined || damage === undefined) return;
  if (damage === 'zeros') {
    const value = await digestKept(digest.algorithm);
    if (value === undefined || value.equals(digest.value)) return;
  }
  throw sourceDamaged(kept, file, damage);
}

/**
 * The same for an upload that is to begin.
 * @throws IsyncError SOURCE_DAMAGED where it is shorter
 */
export function refuseShorter(kept: FileEntry | undefined, file: FileEntry): void {
  const damage = kept && damageOf(kept, file, false);
  if (kept !== undefined && damage !== undefined) throw sourceDamaged(kept, file, damage);
}

/** A digester that also tells whether all bytes so far were zeros. It looks no further than the first other one. */
export class ZeroWatch implements Digester {
  readonly #digester: Digester;
  #allZeros = true;

  constructor(digester: Digester) {
    this.#digester = digester;
  }

  get allZeros(): boolean {
    return this.#allZeros;
  }

  update(bytes: Uint8Array): void {
    this.#allZeros &&= isAllZeros(bytes);
    this.#digester.update(bytes);
  }

  digest(): Buffer {
    return this.#digester.digest();
  }
}
