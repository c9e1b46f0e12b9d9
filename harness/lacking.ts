import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow, sameContent } from './data-tree.ts';

/** What is in progress by its name: left alone by default. Written down here once more, so that no more is left out than meant. */
const IN_PROGRESS = /(^|\/)([^/]*\.(tmp|part)|\.[^/]*\.swp)$/;

/** Data directories of the root that are there now. */
export function directoriesOf(root: string): string[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}

export function isClosed(root: string, directory: string): boolean {
  return existsSync(join(root, directory, 'finished.parse'));
}

/** Files of a data directory that the target lacks or has otherwise, a line each. */
export async function lackingOf(root: string, copy: string, directory: string): Promise<string[]> {
  const lacking: string[] = [];
  for (const [path, stat] of await filesBelow(join(root, directory))) {
    if (path === 'finished.watch' || IN_PROGRESS.test(path) || !stat.isFile()) continue;
    const [source, kept] = [join(root, directory, path), join(copy, directory, path)];
    const found = lstatSync(kept, { throwIfNoEntry: false });
    const mode = (stat.mode & 0o777).toString(8);
    if (found === undefined) lacking.push(`${directory}/${path} (mode ${mode}) is not at the target`);
    else if (found.size !== stat.size)
      lacking.push(`${directory}/${path} (mode ${mode}) has ${found.size} bytes instead of ${stat.size}`);
    else if (!(await sameContent(source, kept))) lacking.push(`${directory}/${path} (mode ${mode}) differs`);
  }
  return lacking;
}
