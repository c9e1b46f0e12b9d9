import type { JsMsg } from '@nats-io/jetstream';
import type { QueueDelivery } from '../queue/event-queue.ts';

/** The header that has the id; the broker's own, for its dedupe, is another one after a replay. */
export const ID_HEADER = 'Isync-Id';

export type NatsEnding =
  | { readonly how: 'ack' }
  | { readonly how: 'release'; readonly delayMs: number; readonly failures: number }
  | { readonly how: 'bury'; readonly reason: string };

/** Keeps how often a message has failed for good, for whoever has it next. No call rejects: what is not kept is tried more often. */
export interface FailureCounts {
  /** Called each time before messages are asked for. */
  look(): void;
  /** Undefined where the count could not be read. */
  of(delivery: NatsDelivery): Promise<number | undefined>;
  keep(delivery: NatsDelivery, failures: number): Promise<void>;
  forget(delivery: NatsDelivery): Promise<void>;
}

/** A message in hand. The first of its endings counts. */
export class NatsDelivery implements QueueDelivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly sentMs: number;
  /** Of the stream. */
  readonly seq: number;
  /** When the stream got it, in ns since the epoch. */
  readonly timeNanos: bigint;
  readonly #end: (delivery: NatsDelivery, ending: NatsEnding) => Promise<void>;
  #message: JsMsg;
  #failures: number | undefined = 0;
  #over: Promise<void> | undefined;

  /** @param end called once; must not reject */
  constructor(message: JsMsg, end: (delivery: NatsDelivery, ending: NatsEnding) => Promise<void>) {
    this.seq = message.seq;
    // Published by somebody else: then the sequence tells it from all others.
    this.id = message.headers?.get(ID_HEADER) || `seq-${message.seq}`;
    this.body = message.string();
    this.attempt = message.info.deliveryCount;
    this.sentMs = message.time.getTime();
    this.timeNanos = message.timestampNanos;
    this.#message = message;
    this.#end = end;
  }

  /** As it was delivered last: that one is told. */
  get message(): JsMsg {
    return this.#message;
  }

  get failures(): number {
    return this.#failures ?? 0;
  }

  /** Whether it may have failed more often than is known. */
  get isUncounted(): boolean {
    return this.#failures === undefined;
  }

  /** Before anybody has it. Undefined: nobody could tell. */
  hasFailed(failures: number | undefined): void {
    this.#failures = failures;
  }

  get isEnding(): boolean {
    return this.#over !== undefined;
  }

  deliveredAgain(message: JsMsg): void {
    this.#message = message;
  }

  ack(): Promise<void> {
    return (this.#over ??= this.#end(this, { how: 'ack' }));
  }

  release(delayMs: number, failures = 0): Promise<void> {
    const most = Math.max(this.failures, failures);
    return (this.#over ??= this.#end(this, { how: 'release', delayMs, failures: most }));
  }

  bury(reason: string): Promise<void> {
    return (this.#over ??= this.#end(this, { how: 'bury', reason }));
  }
}
