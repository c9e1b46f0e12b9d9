import type { Log } from '../../model/log.ts';
import { BatchCalls, type EntryFailure } from './batch-calls.ts';
import type { HeldMessage } from './held-message.ts';
import type { LinkLog } from './link-log.ts';
import { PER_CALL, type Queue, type VisibilityEntry } from './queue.ts';

/** Of the visibility timeout: after this part of it it is extended, so that two thirds are left for tries that fail. */
const EXTEND_AFTER = 1 / 3;
/** Of the visibility timeout: what is due so soon goes with what is due now. */
const EARLY = 1 / 24;
/** Of the visibility timeout: the longest wait between tries. */
const LONGEST_WAIT = 1 / 6;
/** Kept from the longest time that a message may be hidden, in s: the request takes time to arrive. */
const ARRIVAL_S = 10;

/** After these nothing can be changed about a delivery. */
const FINAL = new Set(['ReceiptHandleIsInvalid', 'MessageNotInflight', 'InvalidParameterValue']);

interface Change extends VisibilityEntry {
  readonly how: 'extend' | 'release';
  readonly askedMs: number;
}

export interface VisibilityOptions {
  readonly queue: Queue;
  /** The visibility timeout, in s. */
  readonly seconds: number;
  /** Of a request, in ms. */
  readonly limitMs: number;
  readonly link: LinkLog;
  readonly log: Log;
  /** Called when a release is confirmed or hopeless. */
  readonly onReleased: (message: HeldMessage) => void;
  readonly signal: AbortSignal;
}

/**
 * Keeps what is in hand from all other readers, and gives it back. Each message has one change under way at a time, and what
 * it is, is decided when its call begins: no extension is under way beside a release or comes after it.
 */
export class Visibility {
  readonly #options: VisibilityOptions;
  readonly #calls: BatchCalls<HeldMessage, Change>;
  /** When to extend, on the clock of performance.now(): in that order but for the length of a call, as all have the same timeout. */
  readonly #due = new Map<HeldMessage, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: VisibilityOptions) {
    const { queue, link, limitMs, signal } = options;
    this.#options = options;
    this.#calls = new BatchCalls<HeldMessage, Change>({
      perCall: PER_CALL,
      entryFor: (message) => this.#changeOf(message),
      call: (changes) => queue.changeVisibility(changes, { signal, limitMs }),
      finalCodes: FINAL,
      settled: (message, change, failure) => this.#settled(message, change, failure),
      link,
      longestWaitMs: this.#timeoutMs * LONGEST_WAIT,
      signal,
    });
    signal.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** Extends what has just been delivered, until it is let go. */
  hold(message: HeldMessage): void {
    this.#setDue(message, performance.now());
  }

  /** Gives the message back with the delay that it says. */
  release(message: HeldMessage): void {
    this.#due.delete(message);
    this.#calls.add(message);
  }

  /** Extends no longer. */
  letGo(message: HeldMessage): void {
    this.#due.delete(message);
  }

  /** Whether the queue may have done a release. */
  isUnclear(message: HeldMessage): boolean {
    return message.ending?.how === 'release' && this.#calls.isUnclear(message);
  }

  get #timeoutMs(): number {
    return this.#options.seconds * 1000;
  }

  #changeOf(message: HeldMessage): Change | undefined {
    const { handle, ending, isOver, secondsLeft } = message;
    if (isOver) return undefined;
    const askedMs = performance.now();
    if (ending?.how === 'release') {
      const seconds = Math.max(0, Math.min(ending.seconds, secondsLeft - ARRIVAL_S));
      return { how: 'release', handle, seconds, askedMs };
    }
    const seconds = Math.min(this.#options.seconds, secondsLeft - ARRIVAL_S);
    // The queue delivers it again, whatever we do; then its next handle is held.
    if (seconds <= 0) return undefined;
    return { how: 'extend', handle, seconds, askedMs };
  }

  #settled(message: HeldMessage, change: Change, failure: EntryFailure | undefined): void {
    if (message.isOver) return;
    // Delivered again meanwhile: what was said of the delivery before says nothing of this one.
    const isStale = message.handle !== change.handle;
    if (change.how === 'release') {
      if (isStale) this.#calls.add(message);
      else this.#released(message, failure);
    } else if (!isStale) this.#extended(message, change, failure);
  }

  #released(message: HeldMessage, failure: EntryFailure | undefined): void {
    if (failure !== undefined)
      this.#options.log.debug('a message could not be released; it comes again when its time is over', {
        message: message.id,
        attempt: message.attempt,
        failure,
      });
    this.#options.onReleased(message);
  }

  #extended(message: HeldMessage, { askedMs }: Change, failure: EntryFailure | undefined): void {
    // After a failure that may pass, what is left of the time is there for another round.
    if (failure === undefined || !FINAL.has(failure.code)) {
      if (message.ending?.how !== 'release') this.#setDue(message, askedMs);
      return;
    }
    this.#options.log.debug('a message can be held no longer; the queue delivers it again', {
      message: message.id,
      attempt: message.attempt,
      failure,
    });
  }

  #setDue(message: HeldMessage, fromMs: number): void {
    // Put behind all others, so that they stay in order.
    this.#due.delete(message);
    this.#due.set(message, fromMs + this.#timeoutMs * EXTEND_AFTER);
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#options.signal.aborted) return;
    const [first] = this.#due.values();
    if (first === undefined) return;
    this.#timer = setTimeout(() => this.#extendDue(), Math.max(0, first - performance.now()));
  }

  #extendDue(): void {
    this.#timer = undefined;
    const until = performance.now() + this.#timeoutMs * EARLY;
    for (const [message, dueMs] of this.#due) {
      if (dueMs > until) break;
      this.#due.delete(message);
      this.#calls.add(message);
    }
    this.#arm();
  }
}
