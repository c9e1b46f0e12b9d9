import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../model/isync-error.ts';

/**
 * Makes a folder, for its owner alone, and those above it. Where one can't be made, as below /proc, Node's own way (`recursive`)
 * tries for ever, on a thread that nothing can stop.
 * @returns whether it was missing
 */
export async function makeFolder(path: string): Promise<boolean> {
  if (await isFolder(path)) return false;
  const above = dirname(path);
  if (above !== path) await makeFolder(above);
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    // Another process was quicker.
    if (errnoOf(error) === 'EEXIST' && (await isFolder(path))) return false;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
