import type { Delivery } from '../source/event-source.ts';

/** How a message leaves our hands. */
export type Ending =
  | { readonly how: 'ack' }
  /** To be delivered again after so long, in s. */
  | { readonly how: 'release'; readonly seconds: number };

/** Longest time that SQS hides a message from everybody, counted from its delivery, in s. */
export const LONGEST_HIDDEN_S = 43_200;

export interface ReceivedMessage {
  readonly id: string;
  readonly body: string;
  /** What the queue knows this delivery by. */
  readonly handle: string;
  /** How often it has been delivered, with this time. */
  readonly attempt: number;
  readonly sentMs: number | undefined;
}

/** A message in hand, with the handle of its last delivery. */
export class HeldMessage implements Delivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly sentMs: number | undefined;
  readonly #over = Promise.withResolvers<void>();
  readonly #onEnding: (message: HeldMessage, ending: Ending) => void;
  #last: Pick<ReceivedMessage, 'handle' | 'attempt'>;
  #deliveredMs: number;
  #ending: Ending | undefined;
  #isOver = false;

  /** @param onEnding called once, when it is acknowledged or released */
  constructor(received: ReceivedMessage, onEnding: (message: HeldMessage, ending: Ending) => void) {
    ({ id: this.id, body: this.body, attempt: this.attempt, sentMs: this.sentMs } = received);
    this.#last = received;
    this.#deliveredMs = performance.now();
    this.#onEnding = onEnding;
  }

  /** Of the last delivery: those before it may not count any more. */
  get handle(): string {
    return this.#last.handle;
  }

  /** For how long the queue may still hide it, in whole seconds; negative where it shows it again. */
  get secondsLeft(): number {
    return Math.floor(LONGEST_HIDDEN_S - (performance.now() - this.#deliveredMs) / 1000);
  }

  /** What was asked for. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Whether nothing more is to be told to the queue. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves with `isOver`. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  ack(): Promise<void> {
    return this.#end({ how: 'ack' });
  }

  release(delayMs: number): Promise<void> {
    const seconds = Math.min(LONGEST_HIDDEN_S, Math.max(0, Math.ceil(delayMs / 1000)));
    return this.#end({ how: 'release', seconds });
  }

  /** The queue has delivered it once more. Answers may overtake each other. */
  deliveredAgain(received: ReceivedMessage): void {
    if (received.attempt < this.#last.attempt) return;
    this.#last = received;
    this.#deliveredMs = performance.now();
  }

  finish(): void {
    this.#isOver = true;
    this.#over.resolve();
  }

  #end(ending: Ending): Promise<void> {
    if (this.#ending === undefined && !this.#isOver) {
      this.#ending = ending;
      this.#onEnding(this, ending);
    }
    return this.#over.promise;
  }
}
