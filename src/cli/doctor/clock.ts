import { type Check, ok, warning } from './check.ts';

/** `Date` has whole seconds, and an answer takes its time: less than this, in ms, is no difference. */
const SAME_MS = 5_000;

/** @param aheadMs of our clock, in ms; undefined where the other side tells no time */
export function checkClock(aheadMs: number | undefined, whose: string): Check {
  const name = 'clock';
  if (aheadMs === undefined) return ok(name, `${whose} does not tell the time`);
  if (Math.abs(aheadMs) <= SAME_MS) return ok(name, `agrees with that of ${whose}`);
  const side = aheadMs > 0 ? 'ahead of' : 'behind';
  return warning(
    name,
    `is ${spanOf(Math.abs(aheadMs))} ${side} that of ${whose}`,
    'Set the clock of this machine, for instance with NTP.',
  );
}

function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
