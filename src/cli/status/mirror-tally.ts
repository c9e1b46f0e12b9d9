import { NO_OBSERVER, type FillsObserver } from '../../mirror/fill/fills-observer.ts';
import type { Served, ServeObserver } from '../../mirror/serve/serve-observer.ts';

/** Counts what a mirror does, for its board, and tells `next` the same. */
export class MirrorTally implements ServeObserver {
  readonly fills: FillsObserver;
  readonly #next: ServeObserver | undefined;
  requests = 0;
  /** Answers with a status of 500 and above. */
  failed = 0;
  /** Sent to clients. */
  bytes = 0;
  kept = 0;
  keptBytes = 0;
  failedFills = 0;

  constructor(next?: ServeObserver & { readonly fills: FillsObserver }) {
    this.#next = next;
    const fills = next?.fills ?? NO_OBSERVER;
    this.fills = {
      ...fills,
      ended: (rule, end, bytes) => {
        if (end.kind === 'kept') {
          this.kept += 1;
          this.keptBytes += end.bytes;
        } else if (end.kind === 'failed') this.failedFills += 1;
        fills.ended(rule, end, bytes);
      },
    };
  }

  served(served: Served): void {
    this.requests += 1;
    this.bytes += served.bytes;
    if (served.status >= 500) this.failed += 1;
    this.#next?.served(served);
  }

  loopSuspected(): void {
    this.#next?.loopSuspected();
  }
}
