import { createHash } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import type { FileRecord } from '../list/file-record.ts';
import type { Manifest, StoredObject } from '../manifest/manifest.ts';
import { damagedObject } from '../read/damage.ts';
import { openStored, type ReadContext } from '../read/read-context.ts';
import { spoolList } from '../read/spooled-list.ts';

/**
 * Reads an object as it is stored, for which it takes no key. Resolves to its bytes.
 * @throws IsyncError BACKUP_DAMAGED where it is not what was stored
 */
export async function readWhole(context: ReadContext, object: StoredObject): Promise<number> {
  const stored = await openStored(context, object);
  const hash = createHash('sha256');
  for await (const piece of stored.read(0, stored.size)) hash.update(piece);
  if (hash.digest('hex') === object.sha256) return object.size;
  throw damagedObject(object.key, 'its digest is not that of what was stored');
}

/**
 * Reads the list of a backup, and, where a key of ours opens it, looks whether all that it leads to can be there. Resolves to its bytes.
 * @param folder where it is kept meanwhile
 * @throws IsyncError BACKUP_DAMAGED
 */
export async function readList(context: ReadContext, manifest: Manifest, folder: string): Promise<number> {
  await using list = await spoolList(context, manifest, folder);
  const sizes = new Map(manifest.needs.map(({ version, size }) => [version, size]));
  try {
    for await (const record of list.records()) checkPlace(record, sizes, manifest.list.key);
  } catch (error) {
    if (!isKeyMissing(error)) throw error;
  }
  return manifest.list.size;
}

export function isKeyMissing(error: unknown): boolean {
  return error instanceof IsyncError && error.code === 'KEY_MISSING';
}

function checkPlace(record: FileRecord, sizes: ReadonlyMap<number, number>, key: string): void {
  if (record.type !== 'file' || record.size === 0) return;
  const { archive, to } = record.stored;
  const size = sizes.get(archive);
  if (size === undefined) throw damagedObject(key, `it leads to an archive ${archive} that is not needed`);
  if (to > size) throw damagedObject(key, `it leads beyond the end of archive ${archive}`);
}
