import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import type { Delivery, EventSource } from '../../src/events/source/event-source.ts';

export interface Sent {
  /** Of objects that were created. */
  readonly keys?: readonly string[];
  /** Default: what tells of the keys. */
  readonly body?: string;
  readonly attempt?: number;
}

export interface QueueOptions {
  readonly maxDeliveries?: number;
  readonly isFifo?: boolean;
  /** Most messages that a poll gets. */
  readonly perPoll?: number;
  /** Whether a poll that finds nothing ends. Else it waits until there is something. */
  readonly isFinite?: boolean;
}

/** How long a poll that finds nothing lasts where it ends, in ms. */
const POLL_MS = 5;

/** A queue in memory: what no real one can be brought to do at will. */
export class MemoryQueue implements EventSource {
  readonly where = 'memory';
  readonly isReachable = true;
  readonly inHand = 0;
  readonly maxDeliveries: number | undefined;
  readonly isFifo: boolean;
  /** What became of each message, by its first key: acknowledged, or given back with this delay in ms. */
  readonly ended: (readonly [key: string, how: 'ack' | number])[] = [];
  /** Polls that find nothing reject with this from now on. */
  refusal: Error | undefined;
  /** How many of those that are given back come again, at once: the others are for other machines. */
  redeliveries = 0;
  /** Polls under way. */
  polls = 0;
  /** Polls so far. */
  asked = 0;
  readonly #perPoll: number;
  readonly #isFinite: boolean;
  #waiting: Sent[] = [];

  constructor({ maxDeliveries, isFifo = false, perPoll = 10, isFinite = false }: QueueOptions = {}) {
    this.maxDeliveries = maxDeliveries;
    this.isFifo = isFifo;
    this.#perPoll = perPoll;
    this.#isFinite = isFinite;
  }

  /** What became of the messages. */
  get ends(): readonly ('ack' | number)[] {
    return this.ended.map(([, how]) => how);
  }

  add(...sent: readonly Sent[]): void {
    this.#waiting.push(...sent);
  }

  /** A message for each key. */
  addKeys(...keys: readonly string[]): void {
    this.add(...keys.map((key) => ({ keys: [key] })));
  }

  clear(): void {
    this.#waiting = [];
  }

  async receive({ signal }: { readonly signal?: AbortSignal } = {}): Promise<readonly Delivery[]> {
    this.asked += 1;
    this.polls += 1;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const taken = this.#waiting.splice(0, this.#perPoll);
        if (taken.length > 0) return taken.map((sent) => this.#delivery(sent));
        await (this.#isFinite ? delay(POLL_MS) : turn());
        if (this.refusal !== undefined) throw this.refusal;
        if (this.#isFinite && this.#waiting.length === 0) return [];
      }
    } finally {
      this.polls -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #delivery(sent: Sent): Delivery {
    const { keys = [], body = bodyOf(keys), attempt = 1 } = sent;
    const id = keys[0] ?? 'no key';
    return {
      id,
      body,
      attempt,
      sentMs: undefined,
      ack: async () => void this.ended.push([id, 'ack']),
      release: async (delayMs) => {
        this.ended.push([id, delayMs]);
        if (this.redeliveries-- > 0) this.add(sent);
      },
    };
  }
}

function bodyOf(keys: readonly string[]): string {
  const Records = keys.map((key) => ({
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    eventName: 'ObjectCreated:Put',
    s3: { bucket: { name: 'bucket' }, object: { key } },
  }));
  return JSON.stringify({ Records });
}
