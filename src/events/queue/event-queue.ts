import type { Abortable } from '../../model/abortable.ts';
import type { IsyncError } from '../../model/isync-error.ts';
import type { Delivery, EventSource } from '../source/event-source.ts';

/**
 * A queue of our own: what is published is delivered, at least once, until it is acknowledged or buried, whatever is killed.
 *
 * To one reader messages are first delivered in the order in which they were published, where a publish began after the one
 * before had resolved. A message that was released comes again whenever its delay is over, and holds up nothing.
 * A queue has no limit of attempts: its consumer looks at `attempt` and buries.
 */
export interface EventQueue extends EventSource {
  receive(options?: Abortable): Promise<readonly QueueDelivery[]>;
  /**
   * Resolves when all of `messages` are durable. A message whose id was published within {@link DEDUPE_MS} is taken for that
   * one, as far as the queue remembers: published again after an error, none is there twice.
   *
   * Rejects with an IsyncError, and then none, some or all are there: STORE_FULL (retryable) at the limit of messages or of
   * free space, BUSY (retryable) while the queue can't be reached or is behind, EVENT_INVALID for a message too large or an
   * id too long, STORE_FAILED where the disk fails.
   */
  publish(messages: readonly QueueMessage[]): Promise<void>;
  /** What is in the queue now. Rejects as `publish` does. */
  counts(): Promise<QueueCounts>;
  readonly dead: DeadMessages;
  /** Resolves with why, once this process can't use it any more. Undefined where it always comes back by itself. */
  readonly lost?: Promise<IsyncError>;
}

/** How long an id is remembered, in ms. A store that got no answer posts again within seconds. */
export const DEDUPE_MS = 120_000;
/** Longest id, in UTF-16 code units: a digest in hex takes 64 or 128. */
export const MAX_ID_LENGTH = 200;

export interface QueueMessage {
  /** Of 1 to {@link MAX_ID_LENGTH} characters from "!" to "~". Messages of one id are taken for one. */
  readonly id: string;
  readonly body: string;
}

/** A message in hand. `ack`, `release` or `bury`, exactly one of them, ends it. */
export interface QueueDelivery extends Delivery {
  /** How often it has failed for good, in any process, as `release` has told. */
  readonly failures: number;
  /** @param failures for the deliveries to come. Default, and where it is less: those that are known */
  release(delayMs: number, failures?: number): Promise<void>;
  /**
   * Moves it to the dead messages, with the reason. Resolves when it is durable there and gone from here, or that can't be
   * told any more: then it comes again one day. Never rejects.
   */
  bury(reason: string): Promise<void>;
}

export interface QueueCounts {
  /** To be delivered: now, after a delay, or again. */
  readonly waiting: number;
  /**
   * Delivered to any reader and not ended yet; of RabbitMQ, which does not tell, to this process. A broker counts those with it
   * that wait for their delay, or were fetched ahead.
   */
  readonly inHand: number;
  readonly dead: number;
  /**
   * When the oldest of those waiting or in hand was published, in ms since the epoch; undefined where there is none. RabbitMQ does
   * not tell: there it is the oldest in hand of this process, which is older than what waits, and undefined where it has none.
   */
  readonly oldestMs: number | undefined;
}

export interface DeadMessage extends QueueMessage {
  readonly reason: string;
  /** Deliveries until it was buried. */
  readonly attempts: number;
  readonly sentMs: number;
  readonly buriedMs: number;
}

/** What nobody could work on, kept until somebody decides. Every call rejects as `publish` does. */
export interface DeadMessages {
  /** In the order of their burial. What is buried or taken out meanwhile may or may not be told. */
  list(): AsyncIterable<DeadMessage>;
  /** The one buried last, of those of that id. */
  get(id: string): Promise<DeadMessage | undefined>;
  /** Puts those of that id back, to be delivered as new ones (attempt 1). Resolves with their number when that is durable. */
  replay(id: string): Promise<number>;
  /** Removes those of that id. Resolves with their number when that is durable. */
  drop(id: string): Promise<number>;
}
