import { IsyncError } from '../../model/isync-error.ts';
import { CHUNK_BYTES } from '../encrypt/stream-key.ts';
import type { Decryption } from '../encrypt/encryption.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { BackupTarget } from '../target/target.ts';

/**
 * Proves that a private key opens a backup: its archive and its list, the header and the first chunk of each. A key that was lost or
 * mixed up shows here, and not when the files are needed.
 * @throws IsyncError KEY_MISSING, BACKUP_DAMAGED, and what the target rejects with
 */
export async function proveIdentity(
  target: Pick<BackupTarget, 'read'>,
  { archive, list }: Pick<Manifest, 'archive' | 'list'>,
  decryption: Decryption,
  signal: AbortSignal,
): Promise<void> {
  for (const { key, size } of [archive, list]) {
    const sealed = await target.read(key, { signal });
    if (sealed === undefined)
      throw new IsyncError('BACKUP_DAMAGED', 'an object of the newest backup is missing', { path: key });
    if (sealed.size !== size)
      throw new IsyncError('BACKUP_DAMAGED', `it has ${sealed.size} bytes, and was made with ${size}`, {
        path: key,
      });
    const opened = await decryption.open(sealed, { signal });
    for await (const _ of opened.read(0, Math.min(opened.size, CHUNK_BYTES), { signal }));
  }
}
