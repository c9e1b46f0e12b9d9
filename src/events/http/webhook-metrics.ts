import { Counter, Histogram, type Registry } from 'prom-client';
import type { WebhookObserver } from './webhook-observer.ts';

/** From a commit of a fast disk to the longest that a store waits, in seconds. */
const ACCEPT_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];
/** Different names that are told apart: they come from the network, and each is a time series for ever. */
const MOST_NAMES = 50;

/** Keeps the metrics of a webhook in `registry`. */
export class WebhookMetrics implements WebhookObserver {
  readonly #requests: Counter<'status'>;
  readonly #accept: Histogram;
  readonly #records: Counter;
  readonly #ignored: Counter<'name'>;
  readonly #parked: Counter;
  readonly #names = new Set<string>();

  constructor(registry: Registry) {
    const registers = [registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
      new Counter({ name: `isync_webhook_${name}`, help, labelNames, registers });
    this.#requests = counter('requests_total', 'Requests for /webhook, by the status of the answer', [
      'status',
    ]);
    this.#records = counter('records_total', 'Records made durable in the queue');
    this.#ignored = counter('ignored_total', 'Records of other things, by name', ['name']);
    this.#parked = counter('parked_total', 'Records parked because nobody can work on them');
    this.#accept = new Histogram({
      name: 'isync_webhook_accept_seconds',
      help: 'From a request to its records being durable',
      buckets: ACCEPT_BUCKETS_S,
      registers,
    });
  }

  answered(status: number): void {
    this.#requests.inc({ status: String(status) });
  }

  accepted(records: number, ms: number): void {
    this.#records.inc(records);
    this.#accept.observe(ms / 1000);
  }

  ignored(name: string): void {
    if (this.#names.size < MOST_NAMES) this.#names.add(name);
    this.#ignored.inc({ name: this.#names.has(name) ? name : 'other' });
  }

  parked(records: number): void {
    this.#parked.inc(records);
  }
}
