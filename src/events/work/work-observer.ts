import type { Outcome } from '../action/outcome.ts';
import type { Dialect, ObjectEvent } from '../object-event.ts';

/** Told what a pull does, for its summary and its metrics. No method throws. */
export interface WorkObserver {
  /** A record came. */
  received(dialect: Dialect | 'unknown', kind: ObjectEvent['kind'] | 'ignored' | 'unparsable'): void;
  /** A record that is none of ours; `name` is what its sender calls it. */
  ignored(name: string): void;
  /** A record has led to something. */
  done(kind: ObjectEvent['kind'], outcome: Outcome['outcome'], bytes: number): void;
  /** From an event, by the clock of its store, until its effect was durable here, in ms. */
  lag(ms: number): void;
  /** A record is below no prefix. */
  unmatched(): void;
  parked(): void;
  /** A record is tried again here. */
  retried(): void;
  /** A message is given back: trouble must pass first, or the queue's redrive policy is to take it. */
  released(): void;
  /** A message that has just come waited this long in the queue, in ms. */
  queueAge(ms: number): void;
  /** A comparison with the bucket found so many keys that differ. */
  differences(count: number): void;
}

/** Tells all of `observers` the same. */
export function allOf(...observers: readonly WorkObserver[]): WorkObserver {
  return {
    received: (...told) => observers.forEach((each) => each.received(...told)),
    ignored: (...told) => observers.forEach((each) => each.ignored(...told)),
    done: (...told) => observers.forEach((each) => each.done(...told)),
    lag: (...told) => observers.forEach((each) => each.lag(...told)),
    unmatched: () => observers.forEach((each) => each.unmatched()),
    parked: () => observers.forEach((each) => each.parked()),
    retried: () => observers.forEach((each) => each.retried()),
    released: () => observers.forEach((each) => each.released()),
    queueAge: (...told) => observers.forEach((each) => each.queueAge(...told)),
    differences: (...told) => observers.forEach((each) => each.differences(...told)),
  };
}
