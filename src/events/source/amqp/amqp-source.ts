import { pause } from '../../../flow/wake-up.ts';
import type { Abortable } from '../../../model/abortable.ts';
import type { AmqpLink } from '../../amqp/amqp-link.ts';
import { AmqpReceiver } from '../../amqp/amqp-receiver.ts';
import type { Delivery, EventSource } from '../event-source.ts';
import type { SourceOptions } from '../open-event-source.ts';

/** Longest delay, in ms: RabbitMQ takes back what is in hand for half an hour, by default. */
const LONGEST_DELAY_MS = 900_000;

/**
 * A queue of an AMQP broker that somebody else fills. We change nothing in it, so a message that is given back for later stays in
 * hand until then.
 */
export class AmqpSource implements EventSource {
  readonly where: string;
  /** A broker does not tell. */
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  readonly #receiver: AmqpReceiver;
  #disposal: Promise<void> | undefined;

  constructor(link: AmqpLink, queue: string, { log, waitMs, giveUpAfterMs }: SourceOptions) {
    this.where = link.where;
    this.#receiver = new AmqpReceiver({
      openLink: () => Promise.resolve(link),
      queue,
      where: link.where,
      waitMs,
      giveUpAfterMs,
      settle: async (_delivery, ending, signal) => {
        if (ending.how === 'ack') return 'ack';
        if (ending.how === 'release') await pause(Math.min(ending.delayMs, LONGEST_DELAY_MS), signal);
        return 'back';
      },
      log,
    });
  }

  get inHand(): number {
    return this.#receiver.inHand;
  }

  get isReachable(): boolean {
    return this.#receiver.isReachable;
  }

  receive(options?: Abortable): Promise<readonly Delivery[]> {
    return this.#receiver.receive(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#receiver.close());
  }
}
