import { sep } from 'node:path';

/** Whether `path` is `folder` or lies below it. Both are absolute and normal; a symlink counts as what it is named. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
