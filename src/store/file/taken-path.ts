import { join } from 'node:path';
import { IsyncError } from '../../model/isync-error.ts';
import { isOwnPath } from '../../model/own-folder.ts';
import { MAX_PATH_BYTES, type RelPath } from '../../model/rel-path.ts';

/** @throws IsyncError BAD_PATH where the store in the folder `root` takes nothing under this path */
export function checkTaken(root: string, path: RelPath): void {
  if (isOwnPath(path)) throw new IsyncError('BAD_PATH', "this folder is the store's own", { path });
  // Or half of its folders would have been made when the kernel says so.
  if (Buffer.byteLength(join(root, path)) >= MAX_PATH_BYTES)
    throw new IsyncError('BAD_PATH', 'the path is too long below the folder of the store', { path });
}
