/** From `minute` of a day on, until the next slot. */
export interface BandwidthSlot {
  /** Minutes since midnight, local time. */
  readonly minute: number;
  /** 0 is Sunday, as Date has it; undefined: every day. */
  readonly weekday: number | undefined;
  /** Infinity: no limit. */
  readonly bytesPerSecond: number;
}

/** How much may pass at which time of the day: at least one slot. A single one holds all day. */
export type Bandwidth = readonly [BandwidthSlot, ...BandwidthSlot[]];

const DAY_MINUTES = 1440;
const WEEK_MINUTES = 7 * DAY_MINUTES;

/** Returns the bytes a second of the slot that began last before `at`, be it last week; Infinity where there is no limit. */
export function bandwidthAt(bandwidth: Bandwidth, at: Date): number {
  const now = at.getDay() * DAY_MINUTES + at.getHours() * 60 + at.getMinutes();
  let [{ bytesPerSecond }] = bandwidth;
  let least = Infinity;
  for (const slot of bandwidth) {
    const since = minutesSince(slot, now);
    // Of two that begin at once, the one of that very day: it was written as an exception.
    if (since < least || (since === least && slot.weekday !== undefined))
      [least, bytesPerSecond] = [since, slot.bytesPerSecond];
  }
  return bytesPerSecond;
}

/** Minutes since a slot began last, where it is now `now` minutes into the week. */
function minutesSince({ minute, weekday }: BandwidthSlot, now: number): number {
  if (weekday === undefined) return (now - minute + WEEK_MINUTES) % DAY_MINUTES;
  return (now - (weekday * DAY_MINUTES + minute) + WEEK_MINUTES) % WEEK_MINUTES;
}

/** One rate at any time. */
export function allDay(bytesPerSecond: number): Bandwidth {
  return [{ minute: 0, weekday: undefined, bytesPerSecond }];
}
