import type { JsMsg } from '@nats-io/jetstream';
import type { QueueDelivery } from '../queue/event-queue.ts';

/** The header that has the id; the broker's own, for its dedupe, is another one after a replay. */
export const ID_HEADER = 'Isync-Id';

export type NatsEnding =
  | { readonly how: 'ack' }
  | { readonly how: 'release'; readonly delayMs: number }
  | { readonly how: 'bury'; readonly reason: string };

/** A message in hand. The first of its endings counts. */
export class NatsDelivery implements QueueDelivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly failures = 0;
  readonly sentMs: number;
  /** Of the stream. */
  readonly seq: number;
  readonly #end: (delivery: NatsDelivery, ending: NatsEnding) => Promise<void>;
  #message: JsMsg;
  #over: Promise<void> | undefined;

  /** @param end called once; must not reject */
  constructor(message: JsMsg, end: (delivery: NatsDelivery, ending: NatsEnding) => Promise<void>) {
    this.seq = message.seq;
    // Published by somebody else: then the sequence tells it from all others.
    this.id = message.headers?.get(ID_HEADER) || `seq-${message.seq}`;
    this.body = message.string();
    this.attempt = message.info.deliveryCount;
    this.sentMs = message.time.getTime();
    this.#message = message;
    this.#end = end;
  }

  /** As it was delivered last: that one is told. */
  get message(): JsMsg {
    return this.#message;
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

  release(delayMs: number): Promise<void> {
    return (this.#over ??= this.#end(this, { how: 'release', delayMs }));
  }

  bury(reason: string): Promise<void> {
    return (this.#over ??= this.#end(this, { how: 'bury', reason }));
  }
}
