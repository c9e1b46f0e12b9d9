import type { ExpireSummary } from './expire-options.ts';

/** Returns why no more room is made, as `2 directories are not sealed, 1 has to stay`. */
export function whyShort({ young, next, unsealed, kept, left }: ExpireSummary): string {
  const first = next === undefined ? '' : ` (the first may go at ${next})`;
  const parts = [
    ...(young > 0 ? [`${directoriesAre(young)} sealed too lately${first}`] : []),
    ...(unsealed > 0
      ? [`${directoriesAre(unsealed)} not sealed: all of it has to be at the target first`]
      : []),
    ...(kept.length > 0 ? [`${directoriesAre(kept.length)} due and had to stay`] : []),
    ...(left > 0 ? [`${directoriesAre(left)} left by --max-delete`] : []),
  ];
  return parts.length === 0 ? 'nothing is left that could go' : parts.join(', ');
}

function directoriesAre(count: number): string {
  return count === 1 ? '1 directory is' : `${count} directories are`;
}
