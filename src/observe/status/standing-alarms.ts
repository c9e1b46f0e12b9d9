import type { Alarms, RaisedAlarm } from './alarms.ts';

/** Alarms that are reckoned anew at each look: those of the last look that are no longer among them are over. */
export class StandingAlarms {
  readonly #alarms: Alarms;
  #standing = new Map<string, RaisedAlarm>();

  constructor(alarms: Alarms) {
    this.#alarms = alarms;
  }

  /** All that stand now. */
  set(now: Iterable<RaisedAlarm>): void {
    const standing = new Map<string, RaisedAlarm>();
    for (const alarm of now) {
      standing.set(`${alarm.code}\0${alarm.subject ?? ''}`, alarm);
      this.#alarms.raise(alarm);
    }
    for (const [key, { code, subject }] of this.#standing)
      if (!standing.has(key)) this.#alarms.clear(code, subject);
    this.#standing = standing;
  }
}
