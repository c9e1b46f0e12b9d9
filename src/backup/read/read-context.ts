import type { Decryption } from '../encrypt/encryption.ts';
import type { ByteRanges } from '../pack/byte-ranges.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { StoredObject } from '../manifest/manifest.ts';
import type { BackupTarget } from '../target/target.ts';
import { attempting, type AttemptOptions } from '../upload/attempts.ts';
import { damagedObject } from './damage.ts';
import { reliableRanges } from './reliable-ranges.ts';

/** What it takes to read a backup back. */
export interface ReadContext extends AttemptOptions {
  readonly target: BackupTarget;
  /** Undefined where this machine has no private key. */
  readonly decryption: Decryption | undefined;
}

/**
 * An object of a manifest as it is stored, read with repeats.
 * @throws IsyncError BACKUP_DAMAGED where it is missing or has another size
 */
export async function openStored(
  { target, ...attempts }: ReadContext,
  { key, size }: Pick<StoredObject, 'key' | 'size'>,
): Promise<ByteRanges> {
  const { signal } = attempts;
  const found = await attempting(`open ${key}`, async () => await target.read(key, { signal }), attempts);
  if (found === undefined) throw damagedObject(key, 'an object of the backup is missing');
  if (found.size !== size)
    throw damagedObject(key, `an object of the backup has ${found.size} bytes where ${size} were stored`);
  return reliableRanges(found, key, attempts);
}

/**
 * What is in a stored object once encryption is taken off.
 * @throws IsyncError KEY_MISSING, DIGEST_MISMATCH
 */
export async function opened(
  { decryption, signal }: ReadContext,
  stored: ByteRanges,
  isEncrypted: boolean,
): Promise<ByteRanges> {
  if (!isEncrypted) return stored;
  if (decryption === undefined)
    throw new IsyncError('KEY_MISSING', 'the backup is encrypted, and there is no private key to open it');
  return await decryption.open(stored, { signal });
}
