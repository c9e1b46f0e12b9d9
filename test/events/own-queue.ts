import { setImmediate as turn } from 'node:timers/promises';
import type { EventSource } from '../../src/events/source/event-source.ts';
import type { QueueDelivery } from '../../src/events/queue/event-queue.ts';
import { messageOf, record } from './http-support.ts';

/** How a delivery ended: given back after so many ms, or buried for a reason. */
export type End = 'ack' | number | { readonly buried: string };

interface Message {
  readonly id: string;
  readonly body: string;
  attempt: number;
  failures: number;
  dueMs: number;
}

/**
 * A queue of our own in memory, for one worker. Its clock leaps: what is given back comes again in the order of when it is due, as
 * soon as nothing else is there to deliver.
 */
export class OwnQueue implements EventSource {
  readonly where = 'memory';
  readonly isReachable = true;
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  /** None is asked for: that there are some makes it a queue of our own. */
  readonly dead = {};
  readonly ended: (readonly [id: string, end: End])[] = [];
  mostInHand = 0;
  inHand = 0;
  readonly #waiting: Message[] = [];
  #nowMs = 0;

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.inHand === 0;
  }

  /** A message of one record; its id is what the script of a webhook would be told. */
  add(id: string, key: string, event: Readonly<Record<string, unknown>> = {}): void {
    const body = messageOf({
      ...record(key),
      eventTime: `2026-01-01T00:00:00.${String(this.#waiting.length).padStart(3, '0')}Z`,
      ...event,
    });
    this.#waiting.push({ id, body, attempt: 0, failures: 0, dueMs: this.#nowMs });
  }

  endsOf(id: string): End[] {
    return this.ended.filter(([each]) => each === id).map(([, end]) => end);
  }

  async receive({ signal }: { readonly signal?: AbortSignal } = {}): Promise<readonly QueueDelivery[]> {
    for (;;) {
      signal?.throwIfAborted();
      const [next] = this.#waiting.toSorted((a, b) => a.dueMs - b.dueMs);
      if (next !== undefined && (next.dueMs <= this.#nowMs || this.inHand === 0)) {
        this.#nowMs = Math.max(this.#nowMs, next.dueMs);
        this.#waiting.splice(this.#waiting.indexOf(next), 1);
        return [this.#delivery(next)];
      }
      await turn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #delivery(message: Message): QueueDelivery {
    message.attempt += 1;
    this.inHand += 1;
    this.mostInHand = Math.max(this.mostInHand, this.inHand);
    const { id, body, attempt, failures } = message;
    const end = (how: End): void => {
      this.inHand -= 1;
      this.ended.push([id, how]);
    };
    return {
      id,
      body,
      attempt,
      failures,
      sentMs: undefined,
      ack: async () => end('ack'),
      bury: async (reason) => end({ buried: reason }),
      release: async (delayMs, told = 0) => {
        end(delayMs);
        message.failures = Math.max(failures, told);
        message.dueMs = this.#nowMs + delayMs;
        this.#waiting.push(message);
      },
    };
  }
}
