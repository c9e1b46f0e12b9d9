import type { QueueDelivery } from '../event-queue.ts';
import type { Command, TakenMessage } from './commands.ts';

/** What ends a delivery. */
export type Ending = Extract<Command, { readonly do: 'ack' | 'release' | 'bury' }>;

/** A message in hand. The first of its endings counts. */
export class HeldDelivery implements QueueDelivery {
  readonly id: string;
  readonly body: string;
  readonly attempt: number;
  readonly failures: number;
  readonly sentMs: number;
  readonly #seq: number;
  readonly #end: (ending: Ending) => Promise<void>;
  #over: Promise<void> | undefined;

  /** @param end called once; must not reject */
  constructor(
    { id, body, attempt, failures, sentMs, seq }: TakenMessage,
    end: (ending: Ending) => Promise<void>,
  ) {
    this.id = id;
    this.body = body;
    this.attempt = attempt;
    this.failures = failures;
    this.sentMs = sentMs;
    this.#seq = seq;
    this.#end = end;
  }

  ack(): Promise<void> {
    return (this.#over ??= this.#end({ do: 'ack', seq: this.#seq }));
  }

  release(delayMs: number, failures = 0): Promise<void> {
    return (this.#over ??= this.#end({ do: 'release', seq: this.#seq, delayMs, failures }));
  }

  bury(reason: string): Promise<void> {
    return (this.#over ??= this.#end({ do: 'bury', seq: this.#seq, reason }));
  }
}
