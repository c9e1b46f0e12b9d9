import type { KeepReason, Verdict } from '../rules/verdict.ts';

/** In words of the rule; what has a number in it is told by itself. */
const WORDS: Readonly<Record<Exclude<KeepReason, 'needed'>, string>> = {
  last: 'last',
  hourly: 'hourly',
  daily: 'daily',
  weekly: 'weekly',
  monthly: 'monthly',
  yearly: 'yearly',
  days: 'days',
  oldest: 'the oldest',
  min: 'min',
  mark: 'marked',
  'no rule': 'the job has no rule',
};
/** Backups that are told to need another one. */
const MOST_TOLD = 3;

/** Why a backup is kept, or goes: `last, daily, needed by version 7`. */
export function explain({ backup, reasons, neededBy }: Verdict): string {
  if (reasons.length === 0)
    return backup.isDamaged ? 'it is damaged, so that no rule keeps it' : 'no rule keeps it';
  return reasons.map((reason) => (reason === 'needed' ? neededText(neededBy) : WORDS[reason])).join(', ');
}

function neededText(by: readonly number[]): string {
  const more = by.length - MOST_TOLD;
  const told = by.slice(0, MOST_TOLD).join(', ');
  return `needed by ${by.length === 1 ? 'version' : 'versions'} ${told}${more > 0 ? ` and ${more} more` : ''}`;
}
