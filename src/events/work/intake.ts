import { TaskGroup } from '../../flow/task-group.ts';
import { pause, Wakeup } from '../../flow/wake-up.ts';
import type { Log } from '../../model/log.ts';
import { parseMessage } from '../parse/parse-message.ts';
import type { KeyEncoding } from '../parse/parsed.ts';
import type { QueueDelivery } from '../queue/event-queue.ts';
import type { Delivery, EventSource } from '../source/event-source.ts';
import type { WorkObserver } from './work-observer.ts';
import type { Holding, Origin } from './origin.ts';
import { fieldsOfRecord, type RecordTaker, type Verdict } from './records.ts';

/** Long polls under way at a time: enough that the next messages come while the last ones are worked on. */
const POLLS = 4;
/**
 * Messages in hand at which no more are asked for. As many keep hundreds of looks busy, also while some wait for their next try, and are far
 * fewer than a queue lets one reader have (120,000; 20,000 where it is FIFO). Each takes some 15 KB of memory.
 */
const MESSAGES_IN_HAND = 1_000;
/** Messages beside these whose actions rest, at most. */
const MOST_RESTING = 2_000;
/** The same in records: one message may have 10,000 of them, some hundred bytes each. */
const RECORDS_IN_HAND = 20_000;
/** The same in bytes of their bodies, which may be 1 MiB each. */
const BYTES_IN_HAND = 32 * 1024 ** 2;
/** Delay of a message that temporary trouble gives back, in ms: the first one and the longest. */
const TROUBLE_DELAY_MS = { first: 2_000, most: 15 * 60_000 };
/** The same for one whose keys are below no prefix: by then another machine may receive it. */
const UNMATCHED_DELAY_MS = { first: 30_000, most: 15 * 60_000 };
/**
 * How long the last deliveries that the queue allows wait trouble out with `once`, in ms: giving them back moves good messages to
 * where the failed ones go, and somebody, or cron, waits for the end.
 */
const ONCE_STAYS_MS = 60_000;
/** How long nothing is received after the disk was full, in ms. */
const FULL_PAUSE_MS = 10_000;

export interface IntakeOptions {
  readonly source: EventSource;
  readonly records: RecordTaker;
  /** Messages in hand at which no more are asked for, beside those that rest. Default {@link MESSAGES_IN_HAND}. */
  readonly messagesInHand?: number | undefined;
  /** Records whose action waits for what needs no room here. Default: none. */
  readonly resting?: (() => number) | undefined;
  readonly keyEncoding: KeyEncoding;
  readonly unmatched: 'release' | 'discard';
  /** Ends when a whole long poll was empty and nothing is in hand. */
  readonly once: boolean;
  /** Default {@link ONCE_STAYS_MS}. */
  readonly onceStaysMs?: number | undefined;
  readonly observer: WorkObserver;
  readonly log: Log;
  /** Called when the queue can't be used any more: what waits in hand should be given up. */
  readonly abandon: () => void;
  /** Ends the polls. Messages in hand are still dealt with. */
  readonly signal: AbortSignal;
}

/** Receives messages, gives their records to {@link Records}, and tells the queue what became of each message. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #messages = new TaskGroup();
  /** One for each poll that waits for room: a Wakeup rouses one sleeper. */
  readonly #rooms = new Set<Wakeup>();
  #inHand = 0;
  #bytesInHand = 0;
  #recordsInHand = 0;
  /** Messages that have come so far. */
  #received = 0;
  #pausedUntil = 0;
  /** When there was no room last; undefined once something was written after that. */
  #fullAt: number | undefined;
  /** Ends the polls. */
  readonly #ended = new AbortController();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get inHand(): number {
    return this.#inHand;
  }

  /** Resolves when the signal has fired, or with `once` when there is no more to do, and nothing is in hand. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const either = AbortSignal.any([signal, this.#ended.signal]);
    const polls = Array.from({ length: POLLS }, () => this.#poll(either));
    try {
      await Promise.all(polls);
    } catch (error) {
      this.#options.abandon();
      throw error;
    } finally {
      this.#ended.abort();
      await Promise.allSettled(polls);
      await this.#messages.idle();
    }
  }

  /** Nothing is received for so long, in ms. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + ms);
  }

  /** Nothing is received for a while: this machine has no room for it. */
  diskFull(): void {
    this.#fullAt = performance.now();
    this.pause(FULL_PAUSE_MS);
  }

  /** Something was written: there is room. */
  written(): void {
    this.#fullAt = undefined;
  }

  /** Whether there was no room when something was to be written last. After the longest delay that has come again, or is gone. */
  get isDiskFull(): boolean {
    return this.#fullAt !== undefined && performance.now() - this.#fullAt < TROUBLE_DELAY_MS.most;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { source, once } = this.#options;
    const room = new Wakeup();
    this.#rooms.add(room);
    while (!signal.aborted) {
      await this.#untilRoom(room, signal);
      const before = this.#received;
      const wasIdle = this.#inHand === 0;
      let deliveries: readonly Delivery[];
      try {
        deliveries = await source.receive({ signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      for (const delivery of deliveries) this.#take(delivery);
      const isIdle = this.#inHand === 0 && this.#received === before;
      if (once && wasIdle && isIdle && !signal.aborted) this.#ended.abort();
    }
  }

  async #untilRoom(room: Wakeup, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const full = this.#pausedUntil - performance.now();
      if (full > 0) await pause(full, signal);
      else if (this.#hasRoom) return;
      else await room.sleep(Infinity, signal);
    }
  }

  get #hasRoom(): boolean {
    const { messagesInHand = MESSAGES_IN_HAND, resting } = this.#options;
    return (
      this.#inHand - Math.min(MOST_RESTING, resting?.() ?? 0) < messagesInHand &&
      this.#recordsInHand < RECORDS_IN_HAND &&
      this.#bytesInHand < BYTES_IN_HAND
    );
  }

  #take(delivery: Delivery): void {
    const { observer } = this.#options;
    this.#received += 1;
    this.#inHand += 1;
    this.#bytesInHand += delivery.body.length;
    if (delivery.sentMs !== undefined) observer.queueAge(Math.max(0, Date.now() - delivery.sentMs));
    const done = this.#deal(delivery).finally(() => {
      this.#inHand -= 1;
      this.#bytesInHand -= delivery.body.length;
      this.madeRoom();
    });
    this.#messages.add(done);
  }

  /** There may be room for more messages. */
  madeRoom(): void {
    for (const room of this.#rooms) room.wake();
  }

  /** Never rejects. */
  async #deal(delivery: Delivery | QueueDelivery): Promise<void> {
    const isOurs = 'bury' in delivery;
    const failures = isOurs ? delivery.failures : 0;
    const holding: Holding = { isOurs, failures, releaseMs: 0, buried: undefined };
    const verdicts = await this.#verdicts(delivery, holding);
    const has = (verdict: Verdict): boolean => verdicts.has(verdict);
    const { unmatched, source, observer, once } = this.#options;
    if (has('stopped')) return delivery.release(0);
    if (once && has('later') && isLast(delivery, source)) {
      // Received once more in the same trouble, it would be moved away, and so would others.
      this.#ended.abort();
      observer.released();
      return delivery.release(TROUBLE_DELAY_MS.most);
    }
    if (has('later') || has('refused')) {
      observer.released();
      return 'bury' in delivery
        ? delivery.release(holding.releaseMs, holding.failures)
        : delivery.release(delayOf(delivery, TROUBLE_DELAY_MS));
    }
    // In a FIFO queue it would hold up those behind it; a queue of our own has no other readers.
    if (has('unmatched') && unmatched === 'release' && !source.isFifo && !holding.isOurs)
      return delivery.release(delayOf(delivery, UNMATCHED_DELAY_MS));
    if (holding.buried !== undefined && 'bury' in delivery) return delivery.bury(holding.buried);
    return delivery.ack();
  }

  async #verdicts(delivery: Delivery, holding: Holding): Promise<ReadonlySet<Verdict>> {
    const { id, body, attempt } = delivery;
    const { source, records, keyEncoding, once, onceStaysMs = ONCE_STAYS_MS, log } = this.#options;
    const origin: Origin = {
      messageId: id,
      attempt,
      // Given back now, the queue would take it for one that nobody can work on.
      staysMs: isLast(delivery, source) ? (once ? onceStaysMs : Infinity) : 0,
      hasRedrive: source.maxDeliveries !== undefined,
      holding,
    };
    const parsed = parseMessage(body, { keyEncoding });
    this.#recordsInHand += parsed.length;
    const verdicts = await Promise.all(
      parsed.map((record) =>
        records.take(record, origin).catch((error: unknown): Verdict => {
          log.error('a record could not be settled', { ...fieldsOfRecord(record, origin), err: error });
          holding.releaseMs = Math.max(holding.releaseMs, delayOf(delivery, TROUBLE_DELAY_MS));
          return 'later';
        }),
      ),
    );
    this.#recordsInHand -= parsed.length;
    return new Set(verdicts);
  }
}

/** Whether the queue may move a message away once it is given back: its count may run ahead of ours by one. */
function isLast({ attempt }: Delivery, { maxDeliveries }: EventSource): boolean {
  return maxDeliveries !== undefined && attempt >= maxDeliveries - 1;
}

/** Grows with the deliveries of a message, to twice or half at random, so that many do not come back at once. */
function delayOf({ attempt }: Delivery, { first, most }: typeof TROUBLE_DELAY_MS): number {
  const grown = Math.min(most, first * 2 ** Math.min(attempt - 1, 20));
  return Math.round(Math.min(most, grown * (0.5 + Math.random())));
}
