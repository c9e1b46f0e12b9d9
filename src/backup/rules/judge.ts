import type { KeepRule } from '../job.ts';
import { Calendar, type Period, PERIODS } from './calendar.ts';
import type { JudgedBackup, KeepReason, Verdict } from './verdict.ts';

const DAY_MS = 86_400_000;

/**
 * Says of each backup whether it is kept, and why; the newest first. The rules are those of `restic forget` (0.16): each that is given
 * takes the newest backup of each period until its count is used up, and the oldest backup while some count is left. `days` counts
 * back from the newest complete backup. Order is that of versions: a clock that was wrong moves a backup to another day, and
 * no other backup to nowhere.
 *
 * A damaged backup counts for nothing and is not kept by the rule.
 * @param rule undefined: everything is kept
 * @param timezone IANA name, whose days and weeks count
 */
export function judge(
  backups: readonly JudgedBackup[],
  rule: KeepRule | undefined,
  timezone: string,
): readonly Verdict[] {
  const sorted = backups.toSorted((a, b) => b.version - a.version);
  const reasons = new Map(sorted.map((backup) => [backup, new Set<KeepReason>()]));
  const keep = (backup: JudgedBackup, reason: KeepReason): void => void reasons.get(backup)?.add(reason);

  const whole = sorted.filter(({ isDamaged }) => !isDamaged);
  if (rule === undefined) for (const backup of sorted) keep(backup, 'no rule');
  else applyRule(whole, rule, timezone, keep);
  for (const backup of sorted) if (backup.isMarked) keep(backup, 'mark');
  if (rule !== undefined) keepLeast(whole, rule.min, reasons);

  const neededBy = needsOf(sorted.filter((backup) => isKept(reasons.get(backup))));
  return sorted.map((backup) => {
    const found = [...(reasons.get(backup) ?? [])];
    const by = (neededBy.get(backup.version) ?? []).filter((version) => version !== backup.version);
    return { backup, reasons: by.length > 0 ? [...found, 'needed'] : found, neededBy: by };
  });
}

function applyRule(
  whole: readonly JudgedBackup[],
  rule: KeepRule,
  timezone: string,
  keep: (backup: JudgedBackup, reason: KeepReason) => void,
): void {
  const [newest] = whole;
  const oldest = whole.at(-1);
  if (newest === undefined) return;
  if (rule.days !== undefined) {
    const after = newest.startedMs - rule.days * DAY_MS;
    for (const backup of whole) if (backup.startedMs > after) keep(backup, 'days');
  }
  for (const backup of whole.slice(0, rule.last ?? 0)) keep(backup, 'last');

  const calendar = new Calendar(timezone);
  let isCountLeft = false;
  const periods = whole.map((backup) => ({ backup, ...calendar.periodsOf(backup.startedMs) }));
  for (const period of PERIODS) {
    const count = rule[period] ?? 0;
    const taken = newestOfEach(periods, period).slice(0, count);
    for (const backup of taken) keep(backup, period);
    if (taken.length < count) isCountLeft = true;
  }
  if (isCountLeft && oldest !== undefined) keep(oldest, 'oldest');
}

function newestOfEach(
  periods: readonly ({ readonly backup: JudgedBackup } & Readonly<Record<Period, string>>)[],
  period: Period,
): JudgedBackup[] {
  const seen = new Set<string>();
  return periods
    .filter(({ [period]: text }) => {
      const isNew = !seen.has(text);
      seen.add(text);
      return isNew;
    })
    .map(({ backup }) => backup);
}

/** So many stay, the newest ones if the rule alone does not keep them; marks are beside that, so that an old one costs no new one its place. */
function keepLeast(
  whole: readonly JudgedBackup[],
  least: number,
  reasons: ReadonlyMap<JudgedBackup, Set<KeepReason>>,
): void {
  let missing = least - whole.filter((backup) => isKeptByRule(reasons.get(backup))).length;
  for (const backup of whole) {
    const found = reasons.get(backup);
    if (missing <= 0) return;
    if (found === undefined || isKeptByRule(found)) continue;
    found.add('min');
    missing--;
  }
}

/** By version of an archive, the backups that need it. */
function needsOf(kept: readonly JudgedBackup[]): Map<number, number[]> {
  const by = new Map<number, number[]>();
  for (const { version, needs } of kept)
    for (const needed of needs) by.set(needed, [...(by.get(needed) ?? []), version]);
  return by;
}

function isKeptByRule(reasons: ReadonlySet<KeepReason> | undefined): boolean {
  return reasons !== undefined && [...reasons].some((reason) => reason !== 'mark');
}

function isKept(reasons: ReadonlySet<KeepReason> | undefined): boolean {
  return reasons !== undefined && reasons.size > 0;
}
