import type { Outcome } from './answers.ts';

/** One request that has been answered. */
export interface Served {
  readonly outcome: Outcome;
  readonly status: number;
  /** Of the body, as far as the client took it. */
  readonly bytes: number;
  /** From the request to the end of the body. */
  readonly ms: number;
}

/** Is told of each request, for metrics. Does not throw, and returns at once. */
export interface ServeObserver {
  served(served: Served): void;
  /** The CDN asks for an object that is there: see `LOOP_SUSPECTED`. */
  loopSuspected(): void;
}
