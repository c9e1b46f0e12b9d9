import type { Abortable } from '../model/abortable.ts';
import { createDigester, type DigestAlgorithm } from '../model/digest.ts';
import type { FileEntry } from '../model/file-entry.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { RelPath } from '../model/rel-path.ts';
import type { Store } from './store.ts';

/** Times that a file is read when it is replaced each time meanwhile. The caller may try again. */
const TRIES = 3;

/** A published version, and the digest of its bytes. */
export interface DigestedFile {
  readonly entry: FileEntry;
  readonly digest: Buffer;
}

interface ReadDigestOptions extends Abortable {
  /** Whether one that the store keeps with the version suffices. Default false: every byte is read. */
  readonly keptDigest?: boolean | undefined;
}

/**
 * Reads a published file anew for its digest; undefined where there is none.
 * @throws IsyncError FILE_CHANGED (retryable) when it is replaced again and again meanwhile
 */
export async function readDigest(
  store: Pick<Store, 'read'>,
  path: RelPath,
  algorithm: DigestAlgorithm,
  { signal, keptDigest = false }: ReadDigestOptions = {},
): Promise<DigestedFile | undefined> {
  for (let left = TRIES - 1; ; left--) {
    const found = await store.read(path, { signal, reuse: true });
    if (found === undefined) return undefined;
    const { digest: kept } = found;
    if (keptDigest && kept?.algorithm === algorithm)
      return { entry: found.entry, digest: Buffer.from(kept.value) };
    try {
      return { entry: found.entry, digest: await digestAll(found.bytes, algorithm) };
    } catch (error) {
      if (left === 0 || !(error instanceof IsyncError) || error.code !== 'FILE_CHANGED') throw error;
    }
  }
}

/** The digest of all bytes that come; it is done with each piece before it asks for the next one. */
export async function digestAll(
  bytes: AsyncIterable<Uint8Array>,
  algorithm: DigestAlgorithm,
): Promise<Buffer> {
  const digester = createDigester(algorithm);
  for await (const piece of bytes) digester.update(piece);
  return digester.digest();
}
