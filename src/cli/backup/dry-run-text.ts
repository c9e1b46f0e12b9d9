import type { Fate } from '../../backup/prune/pruned.ts';
import type { DryRun } from '../../backup/run/dry-run.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { failureLines, failureObjects } from './run-text.ts';

/** For people. */
export function dryRunLines({ planned, resumed, failures, pruned }: DryRun): string[] {
  return [
    ...resumed.map(({ name, targets, isOverflowed }) =>
      printable(
        `would go on with ${name} at ${targets.join(', ')}${isOverflowed ? ', packed from its beginning' : ''}`,
      ),
    ),
    ...planned.map(({ type, reason, targets, files, bytes, storedFiles, storedBytes, commands }) => {
      const more = commands === 0 ? '' : `, and what ${formatCount(commands, 'command')} would print`;
      return printable(
        `would make: ${type} (${reason}), ${formatCount(files, 'file')}, ${formatBytes(bytes)}; to be stored at most ${formatCount(storedFiles, 'file')}, ${formatBytes(storedBytes)}${more}, at ${targets.join(', ')}`,
      );
    }),
    ...failureLines(failures),
    ...pruned.flatMap(({ target, bars, backups, litter }) => [
      ...bars.map((bar) => printable(`${target}: nothing would be removed: ${bar}`)),
      ...backups.map(({ name, fate, why }) => printable(`${target}: ${would(fate)} ${name}: ${why}`)),
      ...litter.map(({ key, fate, why }) => printable(`${target}: ${would(fate)} ${key}: ${why}`)),
    ]),
  ];
}

function would(fate: Fate): string {
  if (fate === 'kept') return 'would keep';
  return fate === 'locked' ? 'could not yet remove' : 'would remove';
}

/** For programs. */
export function dryRunObject(job: string, { planned, resumed, failures, pruned }: DryRun): object {
  return {
    job,
    planned: planned.map(({ base, ...each }) => ({ ...each, base: base?.version })),
    resumed: resumed.map(({ name, type, targets, isOverflowed }) => ({ name, type, targets, isOverflowed })),
    failures: failureObjects(failures),
    pruned: pruned.map(({ target, bars, backups, litter }) => ({ target, bars, backups, litter })),
  };
}
