import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Outcome } from '../action/outcome.ts';
import type { Dialect, ObjectEvent } from '../object-event.ts';
import type { WorkObserver } from './work-observer.ts';

/** From milliseconds where all is well to a day where a machine was off, in seconds. */
const LAG_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86_400];
/** Different names that are told apart: they come from the network, and each is a time series for ever. */
const MOST_NAMES = 50;

/** What a pull has at the moment. */
export interface WorkGauges {
  parked(): number;
  inHand(): number;
  /** Runs of the command so far, and those of them that failed; undefined where there is no command. */
  readonly exec: (() => { readonly runs: number; readonly failures: number }) | undefined;
}

/** Keeps the metrics of a pull in `registry`. */
export class WorkMetrics implements WorkObserver {
  readonly #received: Counter<'dialect' | 'kind'>;
  readonly #done: Counter<'action' | 'outcome'>;
  readonly #ignored: Counter<'name'>;
  readonly #unmatched: Counter;
  readonly #retries: Counter;
  readonly #released: Counter;
  readonly #bytes: Counter;
  readonly #lag: Histogram;
  readonly #queueAge: Gauge;
  readonly #differences: Gauge;
  readonly #lastSuccess: Gauge;
  readonly #names = new Set<string>();

  constructor(registry: Registry, gauges: WorkGauges) {
    const registers = [registry];
    const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
      new Counter({ name: `isync_events_${name}`, help, labelNames, registers });
    this.#received = counter('received_total', 'Records that came', ['dialect', 'kind']);
    this.#done = counter('done_total', 'Records that led to something', ['action', 'outcome']);
    this.#ignored = counter('ignored_total', 'Records of other things, by name', ['name']);
    this.#unmatched = counter('unmatched_total', 'Records below no prefix');
    this.#retries = counter('retries_total', 'Records that were tried again');
    this.#released = counter('released_total', 'Messages given back to the queue because of trouble');
    this.#bytes = counter('bytes_total', 'Bytes written');
    const gauge = (name: string, help: string, collect?: () => number) =>
      new Gauge({
        name: `isync_events_${name}`,
        help,
        registers,
        ...(collect !== undefined && {
          collect() {
            this.set(collect());
          },
        }),
      });
    gauge('parked', 'Records that wait for a person', () => gauges.parked());
    this.#differences = gauge('resync_differences', 'Keys that differed when last compared with the bucket');
    gauge('in_hand', 'Messages received and not dealt with', () => gauges.inHand());
    this.#queueAge = gauge('queue_age_seconds', 'How long the message that came last was in the queue');
    this.#lastSuccess = gauge('last_success_timestamp_seconds', 'When a record was last done with');
    const { exec } = gauges;
    if (exec !== undefined) {
      counted(registry, 'exec_runs_total', 'Runs of the command after changes', () => exec().runs);
      counted(registry, 'exec_failures_total', 'Runs of the command that failed', () => exec().failures);
    }
    this.#lag = new Histogram({
      name: 'isync_events_lag_seconds',
      help: 'From an event to its durable effect here',
      buckets: LAG_BUCKETS_S,
      registers,
    });
  }

  received(dialect: Dialect | 'unknown', kind: ObjectEvent['kind'] | 'ignored' | 'unparsable'): void {
    this.#received.inc({ dialect, kind });
  }

  ignored(name: string): void {
    if (this.#names.size < MOST_NAMES) this.#names.add(name);
    this.#ignored.inc({ name: this.#names.has(name) ? name : 'other' });
  }

  done(action: ObjectEvent['kind'], outcome: Outcome['outcome'], bytes: number): void {
    this.#done.inc({ action, outcome });
    this.#bytes.inc(bytes);
    if (outcome !== 'parked') this.#lastSuccess.setToCurrentTime();
  }

  lag(ms: number): void {
    this.#lag.observe(ms / 1000);
  }

  unmatched(): void {
    this.#unmatched.inc();
  }

  parked(): void {
    // A gauge tells how many there are.
  }

  retried(): void {
    this.#retries.inc();
  }

  released(): void {
    this.#released.inc();
  }

  queueAge(ms: number): void {
    this.#queueAge.set(ms / 1000);
  }

  differences(count: number): void {
    this.#differences.set(count);
  }
}

/** A counter of what is counted elsewhere. */
function counted(registry: Registry, name: string, help: string, count: () => number): Counter {
  return new Counter({
    name: `isync_events_${name}`,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(count());
    },
  });
}
