import type { ConsumerInfo, StreamState } from '@nats-io/jetstream';

/** Between two looks that see the same, at least, in ms. */
const LEAST_LOOK_MS = 500;
/** In leases: what is in hand of somebody who lives is seldom so for as long. */
const UNCHANGED_LEASES = 3;

type SeenStream = Pick<StreamState, 'messages' | 'first_seq' | 'last_seq'>;
type Sequences = Pick<ConsumerInfo['delivered'], 'consumer_seq' | 'stream_seq'>;
type SeenConsumer = Pick<ConsumerInfo, 'num_pending' | 'num_ack_pending'> & {
  readonly delivered: Sequences;
  readonly ack_floor: Sequences;
};

/** What tells whether stream and consumer have changed. */
export function whatIsSeen(state: SeenStream, consumer: SeenConsumer): string {
  const { num_pending, num_ack_pending, delivered, ack_floor } = consumer;
  const { messages, first_seq, last_seq } = state;
  return [
    [messages, first_seq, last_seq, num_pending, num_ack_pending],
    [delivered.consumer_seq, ack_floor.stream_seq],
  ].join(' ');
}

/** For how long a consumer that is seen to be so, and does not change, is taken to be right, in ms. */
export function trustedMs(state: SeenStream, consumer: SeenConsumer, leaseMs: number): number {
  const { num_pending, num_ack_pending, ack_floor } = consumer;
  // Each message of a work queue waits to be delivered, or to be acknowledged.
  if (state.messages !== num_pending + num_ack_pending) return LEAST_LOOK_MS;
  // It waits for word of a message that is gone, or has not noted that it has come.
  const isBehind = num_ack_pending > 0 && ack_floor.stream_seq + 1 < state.first_seq;
  return isBehind ? UNCHANGED_LEASES * leaseMs : Infinity;
}
