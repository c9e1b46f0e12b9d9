import { NO_OBSERVER, type WebhookObserver } from '../../events/http/webhook-observer.ts';

/** Counts what a webhook does, for its board, and tells `next` the same. */
export class WebhookTally implements WebhookObserver {
  readonly #next: WebhookObserver;
  /** Requests answered with 2xx. */
  taken = 0;
  /** Requests answered otherwise. */
  refused = 0;
  /** Records made durable. */
  records = 0;
  parkedRecords = 0;

  constructor(next: WebhookObserver = NO_OBSERVER) {
    this.#next = next;
  }

  answered(status: number, ms: number): void {
    if (status >= 200 && status < 300) this.taken += 1;
    else this.refused += 1;
    this.#next.answered(status, ms);
  }

  accepted(records: number, ms: number): void {
    this.records += records;
    this.#next.accepted(records, ms);
  }

  ignored(name: string): void {
    this.#next.ignored(name);
  }

  parked(records: number): void {
    this.parkedRecords += records;
    this.#next.parked(records);
  }
}
