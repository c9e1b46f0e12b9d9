import type { Action } from '../action/action.ts';
import type { Breakers } from './breakers.ts';
import { KeyOrder } from './key-order.ts';
import { LOOK_AGAIN_MS } from './lanes.ts';
import { MessageCounts } from './message-counts.ts';
import type { Origin } from './origin.ts';

/**
 * Records of a place that are in hand, where each of them counts: one under way, and those that wait behind it. With as many
 * messages for each action at a time, places that are slow leave room for others as long as an action is free.
 */
export const IN_HAND_AT_PLACE = 8;
/** The same where the newest is enough: then one waits behind the one under way, and more only while that is quick. */
export const IN_HAND_PER_ACTION = 2;
/** How long a queue of our own keeps what another one of its place stands for, in ms. */
const SAME_PLACE_MS = 1_000;
/** The same for a record whose bucket is slow: rare enough that a backlog of it leaves time for others. */
const SLOW_BUCKET_MS = 60_000;
/** How long a queue of our own keeps a record that has failed, in ms. */
const AGAIN_MS = { least: 100, first: 1_000, most: 15 * 60_000 };

export interface AgainOptions {
  readonly needs: Action['needs'];
  /** Failures for good of a record before it is given up. */
  readonly attempts: number;
  readonly breakers: Breakers | undefined;
  /** Records that are in hand at a place. */
  readonly waitingAt: (place: string) => number;
  /** Whether what is under way at a place has not been for long. */
  readonly isQuickAt: (place: string) => boolean;
}

/**
 * When a queue of our own delivers a record again, how often it does, and in which order with others of its place. Of records
 * from elsewhere it knows nothing: each is tried at once, and the lanes count its failures.
 */
export class Again {
  readonly #options: AgainOptions;
  readonly #order = new KeyOrder();
  /** Failures for good, where the queue could not keep their number. One that is forgotten is tried more often. */
  readonly #failures = new MessageCounts();
  /** Looks of created events that have found no object. */
  readonly #missing = new MessageCounts();
  /** Deliveries of which nothing was tried. One that is forgotten waits longer. */
  readonly #idle = new MessageCounts();

  constructor(options: AgainOptions) {
    this.#options = options;
  }

  /** Whether a record may be worked on now: where each of a place counts, those that were given back come first. */
  isTurn(place: string, { messageId, holding }: Origin): boolean {
    if (holding?.isOurs !== true) return true;
    const waiting = this.#options.waitingAt(place);
    if (this.#options.needs === 'newest') {
      // One that waits stands for all of them. All do where that is not for long: one action then serves them.
      if (waiting < IN_HAND_PER_ACTION - 1 || this.#options.isQuickAt(place)) return true;
      holding.releaseMs = Math.max(holding.releaseMs, SAME_PLACE_MS);
    } else {
      if (this.#order.isTurn(place, messageId) && waiting < IN_HAND_AT_PLACE - 1) return true;
      holding.releaseMs = Math.max(holding.releaseMs, this.#order.wait(place, messageId));
    }
    this.#idle.add(messageId);
    return false;
  }

  /** The record comes again: where each of its place counts, those after it wait for it. */
  keepsPlace(place: string, { messageId, holding }: Origin): void {
    if (holding?.isOurs !== true || this.#options.needs !== 'each') return;
    holding.releaseMs = Math.max(holding.releaseMs, this.#order.wait(place, messageId, holding.releaseMs));
  }

  /** The record comes no more: the next one of its place may. */
  leavesPlace(place: string, { messageId, holding }: Origin): void {
    if (holding?.isOurs === true && this.#options.needs === 'each') this.#order.done(place, messageId);
  }

  /** Whether its object has been looked for before, perhaps by another worker. */
  isSecondLook({ messageId, attempt, holding }: Origin): boolean {
    if (holding?.isOurs !== true || this.#options.needs !== 'newest') return false;
    return this.#missing.of(messageId) > 0 || attempt > 2;
  }

  /** Its object was not there: it is looked for once more. */
  lookAgain({ messageId, holding }: Origin): void {
    this.#missing.add(messageId);
    this.#idle.add(messageId);
    if (holding !== undefined) holding.releaseMs = Math.max(holding.releaseMs, LOOK_AGAIN_MS);
  }

  /** Its bucket is slow: nothing of it was tried, and it waits in the queue. */
  putAside({ messageId, holding }: Origin): void {
    this.#idle.add(messageId);
    if (holding !== undefined)
      holding.releaseMs = Math.max(holding.releaseMs, SLOW_BUCKET_MS * (0.5 + Math.random() / 2));
  }

  /** Nothing of it was tried: it was not its turn. */
  untried({ messageId, holding }: Origin): void {
    this.#idle.add(messageId);
    if (this.#options.needs === 'newest' && holding !== undefined)
      holding.releaseMs = Math.max(holding.releaseMs, SAME_PLACE_MS);
  }

  /** Counts a failure for good. Returns whether there have been as many as there may be. */
  isGivenUp({ messageId, holding }: Origin): boolean {
    // The lanes have tried it so often.
    if (holding?.isOurs !== true) return true;
    // Counted here as well: a message may have several records, and a broker may have failed to keep the count.
    holding.failures = Math.max(holding.failures + 1, this.#failures.add(messageId));
    return holding.failures >= this.#options.attempts;
  }

  /** Has the queue keep it while the breaker of its bucket is open, and else longer each time it has been tried. */
  delay(bucket: string, { messageId, attempt, holding }: Origin): void {
    if (holding?.isOurs !== true) return;
    const openMs = this.#options.breakers?.openMs(bucket) ?? 0;
    // A breaker grows by itself; what it keeps back has not failed.
    if (openMs > 0) this.#idle.add(messageId);
    const delayMs = openMs > 0 ? openMs + jitter(1) : jitter(Math.max(1, attempt - this.#idle.of(messageId)));
    holding.releaseMs = Math.max(holding.releaseMs, delayMs);
  }

  /** It is done with. */
  forget({ messageId }: Origin): void {
    this.#failures.forget(messageId);
    this.#idle.forget(messageId);
    this.#missing.forget(messageId);
  }
}

/** With full jitter: from nothing up to twice as long with each delivery. */
function jitter(attempt: number): number {
  const cap = Math.min(AGAIN_MS.most, AGAIN_MS.first * 2 ** Math.min(attempt, 20));
  return Math.max(AGAIN_MS.least, Math.round(Math.random() * cap));
}
