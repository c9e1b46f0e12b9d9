import { firstSegment, type RelPath } from './rel-path.ts';

/**
 * The folder at the root of a store that holds what is the store's own. No device has such a name, for it begins with a dot.
 */
export const OWN_FOLDER = '.isync';

/**
 * Whether `path` is the store's own, which nobody may publish to. Also `.ISYNC`: not every file system tells them apart, and
 * a path means the same in every store.
 */
export function isOwnPath(path: RelPath): boolean {
  return firstSegment(path).toLowerCase() === OWN_FOLDER;
}
