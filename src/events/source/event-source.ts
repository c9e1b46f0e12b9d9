import type { Abortable } from '../../model/abortable.ts';

/** Where messages about objects come from: a queue that gives each one again until it is acknowledged. Disposing
 * waits for confirmations under way, within a bound, and gives back what is in hand, so that another reader has it at once. */
export interface EventSource extends AsyncDisposable {
  /** The source, for people. */
  readonly where: string;
  /**
   * Waits for messages, as long as one long poll takes, and resolves with them: empty where a whole poll found none. A message
   * that is in hand already is not told again, even when the queue delivers it again. Several calls may overlap.
   *
   * Temporary trouble (network, throttling, expired credentials) is waited out here, and logged. Rejects with an IsyncError
   * that is not retryable (no such queue, forbidden: also where acknowledging or releasing is), with a retryable one once the
   * time is over for which the source was told to wait, or with the reason of the signal.
   */
  receive(options?: Abortable): Promise<readonly Delivery[]>;
  /** After how many deliveries the queue moves a message elsewhere by itself; undefined where it never does. */
  readonly maxDeliveries: number | undefined;
  /** Whether messages of a group come strictly in order, so that one that is released holds up those behind it. */
  readonly isFifo: boolean;
  /** What is in hand: received, and the queue has not confirmed yet that it is acknowledged or released. */
  readonly inHand: number;
  /** Whether the last request to the queue was answered. */
  readonly isReachable: boolean;
}

/** One message in hand. Nobody else receives it until it is acknowledged or released; exactly one of both ends it. */
export interface Delivery {
  /** Of the message: the same in each delivery. */
  readonly id: string;
  readonly body: string;
  /** From 1. */
  readonly attempt: number;
  /** When it was sent to the queue, in ms since the epoch by the queue's clock. */
  readonly sentMs: number | undefined;
  /**
   * Tells the queue that the message is done. Resolves when the queue has confirmed it, or it can't be told any more: then it
   * comes again one day, and whatever is done twice does no harm. Never rejects.
   */
  ack(): Promise<void>;
  /** Gives the message back, to be delivered again after `delayMs` (at most what the queue allows). Never rejects. */
  release(delayMs: number): Promise<void>;
}
