import { opendir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Files below `folder`, at any depth, as paths relative to `directory`, like `folder` itself. Ends early, without
 * an error, where a folder can't be read: the listing that follows every change of a folder meets and reports it.
 */
export async function* filesBelow(directory: string, folder: string): AsyncGenerator<string> {
  try {
    for await (const entry of await opendir(join(directory, folder), { recursive: true })) {
      if (!entry.isDirectory()) yield join(entry.parentPath, entry.name).slice(directory.length + 1);
    }
  } catch {
    // See above.
  }
}
