import type { DataDirectory, NewestBy } from './data-directory.ts';

/** A time later than now by more than this, in ms, is one of a clock that was ahead: it decides nothing. */
const AHEAD_MS = 2_000;

/** The newest of `directories`, finished ones among them; undefined where there is none. */
export function newestOf(
  directories: Iterable<DataDirectory>,
  by: NewestBy,
  nowMs: number,
): DataDirectory | undefined {
  const compare = compareAge(by, nowMs);
  let newest: DataDirectory | undefined;
  for (const directory of directories)
    if (newest === undefined || compare(newest, directory) < 0) newest = directory;
  return newest;
}

/**
 * For sorting, oldest first: a total order, the same on every machine. What is equal in time goes by natural name
 * order; so does everything under `birthtime` on a file system that knows none (it says 0). A directory whose time
 * lies in the future counts as older than all others.
 */
export function compareAge(by: NewestBy, nowMs: number): (a: DataDirectory, b: DataDirectory) => number {
  if (by === 'name') return (a, b) => compareNames(a.name, b.name);
  const timeOf = (directory: DataDirectory): number =>
    isFromFuture(directory, by, nowMs) ? Number.MIN_SAFE_INTEGER : timesOf(directory)[by];
  return (a, b) => timeOf(a) - timeOf(b) || compareNames(a.name, b.name);
}

/** Whether the time that would decide about `directory` lies in the future. */
export function isFromFuture(directory: DataDirectory, by: NewestBy, nowMs: number): boolean {
  return by !== 'name' && timesOf(directory)[by] > nowMs + AHEAD_MS;
}

function timesOf({ birthtimeMs, mtimeMs }: DataDirectory) {
  return { birthtime: birthtimeMs, mtime: mtimeMs };
}

/** A fixed locale: the machine's own must not decide which directory is newest. */
const NATURAL = new Intl.Collator('en', { numeric: true });

/** "DC9" before "DC10"; names that the collator finds equal ("DC1", "DC01") go by their code units. */
function compareNames(a: string, b: string): number {
  return NATURAL.compare(a, b) || (a < b ? -1 : Number(a > b));
}
