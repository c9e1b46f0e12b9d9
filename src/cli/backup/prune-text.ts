import type { LocalLitter } from '../../backup/prune/local-litter.ts';
import type { Fate, Pruned } from '../../backup/prune/pruned.ts';
import { printable } from '../../observe/printable.ts';
import { formatBytes, formatCount } from '../../observe/units.ts';
import { errorObject } from './exit-of.ts';

const WORDS: Readonly<Record<Fate, string>> = {
  kept: 'keep',
  removed: 'removed',
  locked: 'locked',
  due: 'due',
};
/** The longest of them, in characters. */
const WIDTH = 'removed'.length;

/** What a prune has done, or would do: a line for each backup and each piece of litter, then what it comes to. */
export function prunedLines({ bars, backups, litter, denied }: Pruned): readonly string[] {
  const gone = backups.filter(({ fate }) => fate === 'removed');
  const due = [...backups, ...litter].filter(({ fate }) => fate === 'due').length;
  const bytes = gone.reduce((sum, each) => sum + each.bytes, 0);
  const removed = litter.filter(({ fate }) => fate === 'removed').length;
  return [
    ...backups.map(({ fate, name, why }) => `${WORDS[fate].padEnd(WIDTH)}  ${printable(name)}: ${why}`),
    ...litter.map(
      ({ fate, key, why }) => `${WORDS[fate].padEnd(WIDTH)}  ${printable(key)}: ${printable(why)}`,
    ),
    ...bars.map((bar) => `nothing is removed: ${bar}`),
    ...(denied === undefined ? [] : [`there is no right to remove: ${printable(denied.message)}`]),
    [
      `${formatCount(gone.length, 'backup')} removed (${formatBytes(bytes)})`,
      `${formatCount(backups.length - gone.length, 'backup')} there`,
      ...(removed > 0 ? [`${formatCount(removed, 'piece')} of litter removed`] : []),
      ...(due > 0 ? [`${due} due`] : []),
    ].join(', '),
  ];
}

/** The same of what lies in the folder of the job on this machine. What is kept there is told by a dry run alone. */
export function localLines(litter: readonly LocalLitter[], isDryRun: boolean): readonly string[] {
  return litter
    .filter(({ fate }) => isDryRun || fate !== 'kept')
    .map(({ fate, path, why }) => `${WORDS[fate].padEnd(WIDTH)}  ${printable(path)}: ${why}`);
}

/** For programs. */
export function prunedObject({ target, bars, backups, litter, denied }: Pruned): object {
  return {
    target,
    bars,
    backups: backups.map(({ startedMs, ...rest }) => ({
      ...rest,
      started: new Date(startedMs).toISOString(),
    })),
    litter,
    denied: denied && errorObject(denied),
  };
}
