import type { DataDirectory, NewestBy } from './data-directory.ts';

/** The newest of `directories`, finished ones among them; undefined where there is none. */
export function newestOf(directories: Iterable<DataDirectory>, by: NewestBy): DataDirectory | undefined {
  const compare = compareAge(by);
  let newest: DataDirectory | undefined;
  for (const directory of directories)
    if (newest === undefined || compare(newest, directory) < 0) newest = directory;
  return newest;
}

/**
 * For sorting, oldest first: a total order, the same on every machine. What is equal in time goes by natural name
 * order; so does everything under `birthtime` on a file system that knows none (it says 0).
 */
export function compareAge(by: NewestBy): (a: DataDirectory, b: DataDirectory) => number {
  switch (by) {
    case 'birthtime':
      return (a, b) => a.birthtimeMs - b.birthtimeMs || compareNames(a.name, b.name);
    case 'mtime':
      return (a, b) => a.mtimeMs - b.mtimeMs || compareNames(a.name, b.name);
    case 'name':
      return (a, b) => compareNames(a.name, b.name);
  }
}

/** A fixed locale: the machine's own must not decide which directory is newest. */
const NATURAL = new Intl.Collator('en', { numeric: true });

/** "DC9" before "DC10"; names that the collator finds equal ("DC1", "DC01") go by their code units. */
function compareNames(a: string, b: string): number {
  return NATURAL.compare(a, b) || (a < b ? -1 : Number(a > b));
}
