import type { QueueDelivery } from '../queue/event-queue.ts';
import type { Tag } from './consumption.ts';
import type { ReadMessage } from './read-message.ts';

export type AmqpEnding =
  | { readonly how: 'ack' }
  | { readonly how: 'release'; readonly delayMs: number; readonly failures: number }
  | { readonly how: 'bury'; readonly reason: string };

/** A message in hand, with every delivery of it that the broker has to be told of. The first of its endings counts. */
export class AmqpDelivery implements QueueDelivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly failures: number;
  readonly sentMs: number | undefined;
  readonly message: ReadMessage;
  readonly #end: (delivery: AmqpDelivery, ending: AmqpEnding) => Promise<void>;
  #tags: Tag[];
  #ending: AmqpEnding | undefined;
  #over: Promise<void> | undefined;

  /** @param end called once; must not reject */
  constructor(
    message: ReadMessage,
    tag: Tag,
    end: (delivery: AmqpDelivery, ending: AmqpEnding) => Promise<void>,
  ) {
    ({ id: this.id, body: this.body, attempt: this.attempt, sentMs: this.sentMs } = message);
    this.failures = message.failures;
    this.message = message;
    this.#tags = [tag];
    this.#end = end;
  }

  /** Whether the broker waits for word of it. Where not, it comes again by itself. */
  get isOpen(): boolean {
    return this.#tags.some(({ channel }) => channel.active);
  }

  get ending(): AmqpEnding['how'] | undefined {
    return this.#ending?.how;
  }

  deliveredAgain(tag: Tag): void {
    this.#tags.push(tag);
  }

  /** Those that the broker waits for, each once. */
  takeTags(): readonly Tag[] {
    const tags = this.#tags.filter(({ channel }) => channel.active);
    this.#tags = [];
    return tags;
  }

  ack(): Promise<void> {
    return this.#endBy({ how: 'ack' });
  }

  release(delayMs: number, failures = 0): Promise<void> {
    return this.#endBy({ how: 'release', delayMs, failures: Math.max(this.failures, failures) });
  }

  bury(reason: string): Promise<void> {
    return this.#endBy({ how: 'bury', reason });
  }

  #endBy(ending: AmqpEnding): Promise<void> {
    this.#ending ??= ending;
    return (this.#over ??= this.#end(this, ending));
  }
}
