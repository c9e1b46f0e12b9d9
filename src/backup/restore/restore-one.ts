import { createHash } from 'node:crypto';
import { IsyncError } from '../../model/isync-error.ts';
import type { RegularRecord } from '../list/file-record.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { readStored } from '../pack/read-stored.ts';
import { Archives } from '../read/archives.ts';
import { damagedObject } from '../read/damage.ts';
import type { ReadContext } from '../read/read-context.ts';
import { spoolList } from '../read/spooled-list.ts';

/**
 * The content of one file of a backup.
 * @param path in the archive; a "/" before it is not heeded
 * @param scratchFolder where the list is kept meanwhile, without a name
 * @throws IsyncError USAGE where it is no file of the backup; BACKUP_DAMAGED, after the last byte too: then what came is wrong
 */
export async function* restoreOne(
  context: ReadContext,
  manifest: Manifest,
  path: string,
  scratchFolder: string,
): AsyncGenerator<Uint8Array> {
  const { size, sha256, stored } = await recordOf(context, manifest, path.replace(/^\/+/, ''), scratchFolder);
  const { signal } = context;
  const hash = createHash('sha256');
  if (size > 0) {
    const { ranges, compress } = await new Archives(context, manifest).open(stored.archive);
    for await (const piece of readStored(ranges, compress, stored, size, { signal })) {
      hash.update(piece);
      yield piece;
    }
  }
  if (hash.digest('hex') !== sha256) throw damagedObject(path, 'its content is not what was backed up');
}

async function recordOf(
  context: ReadContext,
  manifest: Manifest,
  path: string,
  scratchFolder: string,
): Promise<RegularRecord> {
  await using list = await spoolList(context, manifest, scratchFolder);
  for await (const record of list.records()) {
    if (record.path !== path) continue;
    if (record.type === 'file') return record;
    throw new IsyncError('USAGE', `it is a ${record.type}, and no file`, { path });
  }
  throw new IsyncError('USAGE', 'the backup has no such file', { path });
}
