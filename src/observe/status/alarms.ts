import type { Alarm, AlarmSeverity } from './report.ts';

/** Alarms in a report: more than a person reads. The rest is counted. */
export const MAX_ALARMS = 100;
/** Alarms of each severity that are kept: bounds memory where every file has a problem, and warnings leave room for what is worse. */
const MAX_KEPT = 1_000;

export type AlarmListener = (change: { readonly kind: 'raised' | 'cleared'; readonly alarm: Alarm }) => void;

export interface RaisedAlarm {
  readonly code: string;
  readonly severity: AlarmSeverity;
  readonly subject?: string;
  readonly text: string;
  readonly cure: string;
}

/**
 * The alarms of one command. Each is known by its code and subject: raising it again changes its words and keeps its time.
 * Listeners hear of the first raise and of the end, at once; they must not throw.
 */
export class Alarms {
  readonly #alarms = new Map<string, Alarm>();
  readonly #listeners = new Set<AlarmListener>();
  readonly #now: () => Date;
  /** Whether there were more than are kept since there was none. */
  #isCut = false;

  constructor(now: () => Date = () => new Date()) {
    this.#now = now;
  }

  raise({ code, severity, subject = '', text, cure }: RaisedAlarm): void {
    const key = keyOf(code, subject);
    const before = this.#alarms.get(key);
    if (before?.severity !== severity && this.#of(severity) >= MAX_KEPT) {
      this.#isCut = true;
      return;
    }
    const since = before?.since ?? this.#now().toISOString();
    const alarm = { code, severity, subject, text, cure, since };
    this.#alarms.set(key, alarm);
    if (before === undefined) this.#tell('raised', alarm);
  }

  clear(code: string, subject = ''): void {
    const key = keyOf(code, subject);
    const alarm = this.#alarms.get(key);
    if (alarm === undefined) return;
    this.#alarms.delete(key);
    if (this.#alarms.size === 0) this.#isCut = false;
    this.#tell('cleared', alarm);
  }

  /** Alarms there are, and one for all that were not kept. */
  get count(): number {
    return this.#alarms.size + Number(this.#isCut);
  }

  /** All that are kept. */
  all(): Alarm[] {
    return [...this.#alarms.values()];
  }

  /** The gravest first, then the oldest: at most MAX_ALARMS. */
  list(): Alarm[] {
    return [...this.#alarms.values()].toSorted(byGravity).slice(0, MAX_ALARMS);
  }

  /** How many alarms of each severity each code has, for metrics: codes are few. */
  counts(): { readonly code: string; readonly severity: AlarmSeverity; readonly count: number }[] {
    const counts = new Map<string, { code: string; severity: AlarmSeverity; count: number }>();
    for (const { code, severity } of this.#alarms.values()) {
      const key = `${code} ${severity}`;
      counts.set(key, { code, severity, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    return [...counts.values()];
  }

  /** @returns a function that ends it */
  listen(listener: AlarmListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #of(severity: AlarmSeverity): number {
    // Looked through only where there may be too many.
    if (this.#alarms.size < MAX_KEPT) return 0;
    return this.all().filter((alarm) => alarm.severity === severity).length;
  }

  #tell(kind: 'raised' | 'cleared', alarm: Alarm): void {
    for (const listener of this.#listeners) listener({ kind, alarm });
  }
}

function keyOf(code: string, subject: string): string {
  return `${code}\0${subject}`;
}

function byGravity(a: Alarm, b: Alarm): number {
  if (a.severity !== b.severity) return a.severity === 'critical' ? -1 : 1;
  return a.since < b.since ? -1 : a.since > b.since ? 1 : 0;
}
