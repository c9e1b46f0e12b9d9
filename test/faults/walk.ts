import { lstatSync, opendirSync, type Stats } from 'node:fs';
import { join } from 'node:path';

/** Every file at or below `top`, as far as they can be seen while others are at work in there. */
export function* walk(top: string): Generator<{ readonly path: string; readonly stats: Stats }> {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const { name, isFolder } of entriesOf(join(top, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (isFolder) folders.push(path);
      else {
        const stats = lookAt(join(top, path));
        if (stats?.isFile() === true) yield { path, stats };
      }
    }
}

export function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // Taken away for a while.
    return undefined;
  }
}

function entriesOf(folder: string): { name: string; isFolder: boolean }[] {
  try {
    using handle = opendirSync(folder);
    const entries = [];
    for (let entry = handle.readSync(); entry !== null; entry = handle.readSync())
      entries.push({ name: entry.name, isFolder: entry.isDirectory() });
    return entries;
  } catch {
    // Gone by now, taken away for a while, or not permitted for a while: all of these are among the faults.
    return [];
  }
}
