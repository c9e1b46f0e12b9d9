import { describe, expect, it } from 'vitest';
import { trustedMs, whatIsSeen } from '../../src/events/queue/nats/seen-consumer.ts';

const LEASE_MS = 30_000;

/** Messages `from` to `to` in the stream; of the consumer, what was acknowledged last, what is in hand, and what is to come. */
function seen({ from = 11, to = 13, acked = 10, inHand = 0, pending = 3 } = {}) {
  const stream = { messages: to - from + 1, first_seq: from, last_seq: to };
  const consumer = {
    num_pending: pending,
    num_ack_pending: inHand,
    delivered: { consumer_seq: acked + inHand, stream_seq: acked + inHand },
    ack_floor: { consumer_seq: acked, stream_seq: acked },
  };
  return { stream, consumer, trusted: trustedMs(stream, consumer, LEASE_MS) };
}

describe('a consumer of NATS', () => {
  it.each([
    ['has all to deliver', {}],
    ['has one in hand', { inHand: 1, pending: 2 }],
    ['has nothing', { from: 14, to: 13, acked: 13, pending: 0 }],
  ])('that %s is right for good', (_, state) => {
    expect(seen(state).trusted).toBe(Infinity);
  });

  it.each([
    ['takes messages for acknowledged that are there', { acked: 13, pending: 0 }],
    ['counts messages that are gone', { pending: 4 }],
  ])('that %s is asked anew after the next look', (_, state) => {
    expect(seen(state).trusted).toBeLessThan(1000);
  });

  it('that waits for word of messages that are gone, as many as it does not deliver, is asked anew after some leases', () => {
    // 9 and 10 are ghosts: gone from the stream, and in hand of nobody. So two of the three that are there are never delivered.
    const { trusted } = seen({ acked: 8, inHand: 2, pending: 1 });
    expect(trusted).toBeGreaterThan(2 * LEASE_MS);
    expect(trusted).toBeLessThan(10 * LEASE_MS);
  });

  it('is seen to change by each message that comes, is delivered or acknowledged', () => {
    const states = [{}, { to: 14 }, { pending: 2, inHand: 1 }, { acked: 11, from: 12, pending: 2 }];
    const all = states.map((state) => {
      const { stream, consumer } = seen(state);
      return whatIsSeen(stream, consumer);
    });
    expect(new Set(all).size).toBe(states.length);
  });
});
