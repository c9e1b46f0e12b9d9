/** Records remembered, some hundred bytes each. Beyond that the order is not kept. */
const MOST_RECORDS = 100_000;
/** How long after its time a record is waited for, in ms: by then another worker has it, or it is gone. */
const OVERDUE_MS = 60_000;
/** A queue that knows some delays only (RabbitMQ's steps) keeps a record for up to so many times its delay. */
const LONGER = 6;
/**
 * From one record of a place to the next one, in ms, where they wait for one another, and each waits so long at least: what the place
 * takes for one, within these.
 */
const STEP_MS = { least: 10, most: 250 };

interface Waiting {
  readonly messageId: string;
  dueMs: number;
  /** When it is waited for no more. */
  overdueMs: number;
}

interface Place {
  readonly waiting: Waiting[];
  /** When one of the place was done with last; at first, when the first one had to wait. */
  doneMs: number;
  /** From one that was done with to the next. */
  paceMs: number;
}

/**
 * Keeps the order of a place's records that were given back to their queue: those that come meanwhile wait behind them, there
 * too, so that a place in trouble takes no room here.
 */
export class KeyOrder {
  readonly #places = new Map<string, Place>();
  readonly #now: () => number;
  #count = 0;

  /** @param now in ms, monotonic */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether no other record of the place is to come before this one. */
  isTurn(place: string, messageId: string): boolean {
    const known = this.#places.get(place);
    if (known === undefined) return true;
    const { waiting } = known;
    while (waiting[0] !== undefined && waiting[0].overdueMs < this.#now()) {
      waiting.shift();
      this.#count -= 1;
    }
    if (waiting.length === 0) this.#places.delete(place);
    return waiting[0] === undefined || waiting[0].messageId === messageId;
  }

  /**
   * The record comes again, not before `delayMs` are over and those before it have come. Returns when, in ms from now.
   * @param delayMs default: a step, for a record whose turn it is not. One before it may be worked on for long.
   */
  wait(place: string, messageId: string, delayMs?: number): number {
    const now = this.#now();
    const known = this.#places.get(place) ?? { waiting: [], doneMs: now, paceMs: 0 };
    const { waiting } = known;
    const stepMs = Math.min(STEP_MS.most, Math.max(STEP_MS.least, known.paceMs, now - known.doneMs));
    const index = waiting.findIndex((each) => each.messageId === messageId);
    const before = waiting[(index === -1 ? waiting.length : index) - 1];
    const dueMs = Math.max(now + (delayMs ?? stepMs), (before?.dueMs ?? -Infinity) + stepMs);
    const overdueMs = now + (dueMs - now) * LONGER + OVERDUE_MS;
    const own = waiting[index];
    if (own !== undefined) Object.assign(own, { dueMs, overdueMs });
    else if (this.#count < MOST_RECORDS) {
      waiting.push({ messageId, dueMs, overdueMs });
      this.#count += 1;
      this.#places.set(place, known);
    }
    return Math.max(0, Math.ceil(dueMs - now));
  }

  /** The record comes no more. */
  done(place: string, messageId: string): void {
    const known = this.#places.get(place);
    if (known === undefined) return;
    const now = this.#now();
    known.paceMs = (known.paceMs + now - known.doneMs) / 2;
    known.doneMs = now;
    const { waiting } = known;
    const index = waiting.findIndex((each) => each.messageId === messageId);
    if (index === -1) return;
    waiting.splice(index, 1);
    this.#count -= 1;
    if (waiting.length === 0) this.#places.delete(place);
  }
}
