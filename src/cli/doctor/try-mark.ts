import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf } from '../../model/file-identity.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { parseRelPath, type RelPath } from '../../model/rel-path.ts';
import { markError, markFile } from '../../scanner/mark.ts';

/** A file system that writes later changes the times of a file once more: that is waited for so often, and so long, in ms. */
const TRIES = 20;
const TRY_MS = 100;

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
    await markOnce(root, path);
  } catch (error) {
    throw markError(error, path);
  } finally {
    await rm(`${root}/${path}`, { force: true }).catch(() => undefined);
  }
}

async function markOnce(root: string, path: RelPath): Promise<void> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const { outcome } = await markFile(root, path, identityOf(lstatSync(`${root}/${path}`)));
    if (outcome === 'marked') return;
    await delay(TRY_MS);
  }
  throw new IsyncError('MARK_NOT_KEPT', 'a file that nobody writes to does not stay as it is', { path });
}
