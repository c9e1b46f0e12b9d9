import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { differences, filesBelow, isMarked, isSealed } from '../../../harness/data-tree.ts';
import type { Check, Place } from './step.ts';

/** A file at the target: readable by all, writable by its owner, without the mark. */
const TARGET_MODE = 0o644;

export interface DirectoryExpectation {
  readonly device: string;
  readonly directory: string;
  /** Whether the parser has closed it. */
  readonly closed: boolean;
}

/** Checks that one directory has been transferred, marked and sealed as design and README promise. */
export async function checkSealed(place: Place, check: Check, expected: DirectoryExpectation): Promise<void> {
  const { device, directory, closed } = expected;
  const source = join(place.root(device), directory);
  const target = join(place.store, device, directory);
  const faults = await differences(source, target, (path) => path === 'finished.watch');
  check(`${directory}: its files are at the target, byte by byte, with their mtimes`, ...none(faults));
  const marked = [...(await filesBelow(source))].filter(([path]) => !path.startsWith('finished.'));
  const unmarked = marked.filter(([, stat]) => !isMarked(stat)).map(([path]) => path);
  check(`${directory}: each of its ${marked.length} files has the mark`, ...none(unmarked));
  await checkModes(check, directory, target);
  check(`${directory}: sealed (finished.watch is there)`, isSealed(place.root(device), directory));
  check(
    closed
      ? `${directory}: finished.parse is at the target`
      : `${directory}: no finished.parse, here or at the target`,
    existsSync(join(target, 'finished.parse')) === closed &&
      existsSync(join(source, 'finished.parse')) === closed,
  );
  check(`${directory}: finished.watch is not at the target`, !existsSync(join(target, 'finished.watch')));
}

async function checkModes(check: Check, directory: string, target: string): Promise<void> {
  const odd = [...(await filesBelow(target))]
    .filter(([, stat]) => (stat.mode & 0o7777) !== TARGET_MODE)
    .map(([path, stat]) => `${path} ${(stat.mode & 0o7777).toString(8)}`);
  check(`${directory}: mode 0644 and no mark at the target`, ...none(odd));
}

/** [passed, detail] of a list that must be empty. */
export function none(faults: readonly string[]): [boolean, string] {
  return [faults.length === 0, faults.slice(0, 5).join(', ')];
}
