import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { identityOf } from '../../model/file-identity.ts';
import { parseRelPath } from '../../model/rel-path.ts';
import { markError, markFile } from '../../scanner/mark.ts';

/**
 * Sets a mark on a file of our own in `folder`, below `root`, and removes it. A scan leaves a file of such a name alone, in the root and
 * in a data directory.
 * @throws IsyncError MARK_NOT_KEPT or READ_ONLY, as a scan does
 */
export async function tryMark(root: string, folder: string): Promise<void> {
  const name = `.isync-doctor-${randomBytes(6).toString('hex')}.tmp`;
  const path = parseRelPath(folder === '' ? name : `${folder}/${name}`);
  try {
    await writeFile(`${root}/${path}`, '', { flag: 'wx', mode: 0o644 });
    await markFile(root, path, identityOf(lstatSync(`${root}/${path}`)));
  } catch (error) {
    throw markError(error, path);
  } finally {
    await rm(`${root}/${path}`, { force: true }).catch(() => undefined);
  }
}
