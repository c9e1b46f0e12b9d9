import type { Consumer, ConsumerInfo } from '@nats-io/jetstream';
import { millis, type NatsConnection } from '@nats-io/transport-node';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { LEASE_MS } from '../../nats/nats-place.ts';
import { NatsReceiver } from '../../nats/nats-receiver.ts';
import type { Delivery, EventSource } from '../event-source.ts';
import type { SourceOptions } from '../open-event-source.ts';

export interface NatsSourceParts {
  readonly connection: NatsConnection;
  readonly consumer: Consumer;
  readonly info: ConsumerInfo;
  readonly where: string;
}

/** A stream of JetStream that somebody else fills, read by a durable consumer, which any number of readers share. */
export class NatsSource implements EventSource {
  readonly where: string;
  readonly maxDeliveries: number | undefined;
  readonly isFifo = false;
  readonly #receiver: NatsReceiver;
  #disposal: Promise<void> | undefined;

  constructor({ connection, consumer, info, where }: NatsSourceParts, options: SourceOptions) {
    this.where = where;
    const { max_deliver: most = -1, ack_wait: leaseNanos } = info.config;
    this.maxDeliveries = most > 0 ? most : undefined;
    this.#receiver = new NatsReceiver({
      connection,
      consumer,
      where,
      leaseMs: leaseNanos === undefined ? LEASE_MS : millis(leaseNanos),
      bury: () => Promise.reject(new IsyncError('INTERNAL', 'a source has no place for dead messages')),
      ...options,
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
