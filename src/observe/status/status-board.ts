import { hostname } from 'node:os';
import { Alarms } from './alarms.ts';
import type { Activity, Card, StatusReport } from './report.ts';

export interface StatusBoardOptions {
  readonly command: string;
  readonly subject: string;
  readonly version: string;
}

/** Gives a card as things stand; called once for each report, so it must be cheap and must not throw. */
export type CardSource = () => Card;

/**
 * Where the parts of a command put what is to be seen of it. Nothing is reckoned until somebody asks for a report: a command
 * that nobody looks at pays for none of this.
 */
export class StatusBoard {
  readonly alarms = new Alarms();
  readonly #options: StatusBoardOptions;
  readonly #startedAt = new Date().toISOString();
  readonly #cards: CardSource[] = [];
  activity: () => Activity = () => 'starting';

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  get command(): string {
    return this.#options.command;
  }

  /** In the order in which they are shown. */
  get cards(): readonly CardSource[] {
    return this.#cards;
  }

  add(card: CardSource): void {
    this.#cards.push(card);
  }

  report(): StatusReport {
    return {
      ...this.#options,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      at: new Date().toISOString(),
      activity: this.activity(),
      alarms: this.alarms.list(),
      alarmCount: this.alarms.count,
      cards: this.#cards.map((card) => card()),
    };
  }
}
