/** The periods that a rule counts. */
export const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type Period = (typeof PERIODS)[number];

const DAY_MS = 86_400_000;

/** Tells in which period of a time zone a time lies: two times have the same text just where they lie in the same one. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;

  /** @param timeZone IANA name */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
    });
  }

  /** Each period of the time `ms` since the epoch. Weeks are those of ISO 8601, which belong to the year of their Thursday. */
  periodsOf(ms: number): Readonly<Record<Period, string>> {
    const found: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
    for (const { type, value } of this.#format.formatToParts(ms)) found[type] = value;
    const { era = '', year = '', month = '', day = '', hour = '' } = found;
    const yearly = `${era}${year}`;
    const monthly = `${yearly}-${month}`;
    const daily = `${monthly}-${day}`;
    const signedYear = era.startsWith('B') ? 1 - Number(year) : Number(year);
    return {
      hourly: `${daily}T${hour}`,
      daily,
      weekly: isoWeek(signedYear, Number(month), Number(day)),
      monthly,
      yearly,
    };
  }
}

function isoWeek(year: number, month: number, day: number): string {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // Monday is the first day of a week, and its Thursday decides the year.
  const weekday = (date.getUTCDay() + 6) % 7;
  const thursday = new Date(date.getTime() + (3 - weekday) * DAY_MS);
  const newYear = new Date(0);
  newYear.setUTCFullYear(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - newYear.getTime()) / DAY_MS / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${week}`;
}
