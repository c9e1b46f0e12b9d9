import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createZstdCompress } from 'node:zlib';
import type { Encryption } from '../encrypt/encryption.ts';
import type { StoredObject } from '../manifest/manifest.ts';
import { writeDurably } from './local-files.ts';

/**
 * Writes the list of a backup as it goes into stores: compressed, and encrypted where the archive is. Each time with new secrets.
 * @param from the plain list
 */
export async function writeStoredList(
  from: string,
  to: string,
  encryption: Encryption | undefined,
): Promise<Pick<StoredObject, 'size' | 'sha256'>> {
  const sealer = encryption?.sealer(await encryption.begin());
  const hash = createHash('sha256');
  let size = 0;
  const told = (piece: Uint8Array): Uint8Array => {
    hash.update(piece);
    size += piece.length;
    return piece;
  };
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    const plain = createReadStream(from);
    const compressed = createZstdCompress();
    plain.on('error', (error) => compressed.destroy(error));
    plain.pipe(compressed);
    for await (const piece of compressed) {
      if (!(piece instanceof Uint8Array)) throw new TypeError('zstd gives bytes');
      yield told(sealer === undefined ? piece : sealer.seal(piece));
    }
    if (sealer !== undefined) yield told(sealer.end());
  };
  await writeDurably(to, pieces());
  return { size, sha256: hash.digest('hex') };
}
