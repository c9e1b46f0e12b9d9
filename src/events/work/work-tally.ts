import type { Outcome } from '../action/outcome.ts';
import type { ObjectEvent } from '../object-event.ts';
import type { WorkObserver } from './work-observer.ts';

/** What a pull has done since it began, in records unless said. */
export interface WorkSummary {
  readonly received: number;
  readonly ignored: number;
  readonly unmatched: number;
  readonly written: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Actions of other kinds that were done. */
  readonly done: number;
  readonly parked: number;
  /** Messages given back to the queue because of trouble. */
  readonly released: number;
  readonly retries: number;
  /** Bytes of what was written. */
  readonly bytes: number;
  /** Keys that a comparison with the bucket found to differ. */
  readonly differences: number;
}

/** Counts for the summary. */
export class WorkTally implements WorkObserver {
  readonly #counts = {
    received: 0,
    ignored: 0,
    unmatched: 0,
    written: 0,
    removed: 0,
    unchanged: 0,
    done: 0,
    parked: 0,
    released: 0,
    retries: 0,
    bytes: 0,
    differences: 0,
  };

  get summary(): WorkSummary {
    return { ...this.#counts };
  }

  received(): void {
    this.#counts.received += 1;
  }

  ignored(): void {
    this.#counts.ignored += 1;
  }

  done(_kind: ObjectEvent['kind'], outcome: Outcome['outcome'], bytes: number): void {
    // What is parked is told by itself.
    if (outcome !== 'parked' && outcome !== 'missing') this.#counts[outcome] += 1;
    this.#counts.bytes += bytes;
  }

  lag(): void {
    // Only metrics tell it.
  }

  unmatched(): void {
    this.#counts.unmatched += 1;
  }

  parked(): void {
    this.#counts.parked += 1;
  }

  retried(): void {
    this.#counts.retries += 1;
  }

  released(): void {
    this.#counts.released += 1;
  }

  queueAge(): void {
    // Only metrics tell it.
  }

  differences(count: number): void {
    this.#counts.differences += count;
  }
}
