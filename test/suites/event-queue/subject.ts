import { afterEach, beforeEach, expect } from 'vitest';
import type { CliProcess } from '../../../harness/process.ts';
import type { EventQueue, QueueDelivery, QueueMessage } from '../../../src/events/queue/event-queue.ts';

export interface QueueLimits {
  readonly maxMessages?: number;
}

/** What a form of the queue brings to the suite: one empty queue, which can be opened again and again. */
export interface QueueSetup extends AsyncDisposable {
  /** Whether several may work on it at once. Where not, it is closed before it is opened again. */
  readonly sharesWork: boolean;
  /** Whether what waits for its time, or has been fetched ahead, is told from what is in hand. */
  readonly tellsInHand: boolean;
  /** Whether it knows how often a message was delivered that came due while nobody asked. NATS 2.9 may begin anew. */
  readonly countsUnasked: boolean;
  open(limits?: QueueLimits): Promise<EventQueue>;
  /** A process that opens it as `queue` and runs `code`, which is a module's and may use `until` of harness/process.ts. */
  start(code: string): CliProcess;
}

/** The queue under test: another one for every test. */
export interface Subject {
  readonly queue: EventQueue;
  readonly sharesWork: boolean;
  /** Fails unless that is the attempt of each, as far as the queue counts what came due while nobody asked. */
  expectAttempt(deliveries: readonly QueueDelivery[], attempt: number): void;
  /** Fails unless so many are to be delivered, and so many in hand, as far as the queue tells one from the other. */
  expectCounts(expected: { readonly waiting: number; readonly inHand: number }): Promise<void>;
  /** Closes the queue and opens it again. */
  reopen(limits?: QueueLimits): Promise<void>;
  close(): Promise<void>;
  start(code: string): CliProcess;
  /** Receives until there are `count`, and fails where there are more. */
  receive(count: number): Promise<QueueDelivery[]>;
}

export function useQueue(setup: () => Promise<QueueSetup>): Subject {
  let place: QueueSetup;
  let queue: EventQueue;

  beforeEach(async () => {
    place = await setup();
    queue = await place.open();
  });

  afterEach(async () => {
    await queue[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  return {
    get queue() {
      return queue;
    },
    get sharesWork() {
      return place.sharesWork;
    },
    expectAttempt(deliveries, attempt) {
      if (place.countsUnasked)
        expect(new Set(deliveries.map((each) => each.attempt))).toEqual(new Set([attempt]));
    },
    async expectCounts(expected) {
      const { waiting, inHand } = await queue.counts();
      if (place.tellsInHand) expect({ waiting, inHand }).toEqual(expected);
      else expect(waiting + inHand).toBe(expected.waiting + expected.inHand);
    },
    async reopen(limits) {
      await queue[Symbol.asyncDispose]();
      queue = await place.open(limits);
    },
    close: async () => await queue[Symbol.asyncDispose](),
    start: (code) => place.start(code),
    async receive(count) {
      const deliveries: QueueDelivery[] = [];
      while (deliveries.length < count) deliveries.push(...(await queue.receive()));
      expect(deliveries.map(idOf)).toHaveLength(count);
      return deliveries;
    },
  };
}

export const idOf = ({ id }: { readonly id: string }): string => id;

/** `count` messages named `prefix`, from 0. */
export function messages(count: number, prefix = 'm'): QueueMessage[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${prefix}${at}`, body: `body of ${prefix}${at}` }));
}

export async function ackAll(deliveries: readonly QueueDelivery[]): Promise<void> {
  await Promise.all(deliveries.map((delivery) => delivery.ack()));
}

export async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
