import {
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Log } from '../../../model/log.ts';
import type { FailureCounts, NatsDelivery } from '../../nats/nats-delivery.ts';
import { natsError } from '../../nats/nats-errors.ts';

/**
 * How long the count of a message is kept after its last failure, in ms: far longer than from one try to the next. It is for what
 * no worker forgets, as one was killed.
 */
const KEPT_MS = 30 * 24 * 3_600_000;

/** The stream with the counts of the queue `name`: the last word about each message, below a subject of its own. */
export function failuresStream(name: string) {
  return {
    name: `${name}-failures`,
    config: {
      subjects: [`${name}.failures.*`],
      max_msgs_per_subject: 1,
      max_age: nanos(KEPT_MS),
      // A new count takes the place of the one before.
      discard: DiscardPolicy.Old,
      allow_direct: true,
    } satisfies Partial<StreamConfig>,
  };
}

interface Parts {
  readonly name: string;
  readonly where: string;
  readonly manager: JetStreamManager;
  readonly client: JetStreamClient;
  /** Makes the stream again, which somebody may have deleted. Never rejects. */
  readonly mend: () => Promise<void>;
  readonly log: Log;
}

/**
 * How often each message of a queue has failed for good, whichever worker had it. JetStream counts the deliveries alone, of which
 * most may be trouble that passes.
 */
export class NatsFailures implements FailureCounts {
  readonly #parts: Parts;
  #isFailing = false;
  /** Whether there is a count of any message: mostly there is none, and no message has to be asked for. */
  #someKept = Promise.resolve(true);

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  look(): void {
    this.#someKept = this.#isSomeKept();
  }

  async of(delivery: NatsDelivery): Promise<number> {
    // The server's count of deliveries is not enough: it forgets some of what came due while nobody asked, and a new consumer all.
    if (delivery.attempt === 1 && !(await this.#someKept)) return 0;
    const { manager, name } = this.#parts;
    const query = { last_by_subj: this.#subject(delivery) };
    const found = await this.#try('read', delivery, () =>
      manager.direct.getMessage(failuresStream(name).name, query),
    );
    return Number(found?.string() ?? 0) || 0;
  }

  async keep(delivery: NatsDelivery, failures: number): Promise<void> {
    const { client } = this.#parts;
    await this.#try('kept', delivery, () => client.publish(this.#subject(delivery), String(failures)));
  }

  async forget(delivery: NatsDelivery): Promise<void> {
    const { manager, name } = this.#parts;
    const filter = this.#subject(delivery);
    await this.#try('forgotten', delivery, () =>
      manager.streams.purge(failuresStream(name).name, { filter }),
    );
  }

  async #isSomeKept(): Promise<boolean> {
    const { manager, name } = this.#parts;
    const info = await manager.streams.info(failuresStream(name).name).catch(() => undefined);
    return info?.state.messages !== 0;
  }

  async #try<T>(what: string, { id }: NatsDelivery, call: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await call();
      this.#isFailing = false;
      return answer;
    } catch (error) {
      const { log, where, mend } = this.#parts;
      // A line for all that it concerns.
      log[this.#isFailing ? 'debug' : 'warn'](
        `how often a message has failed can't be ${what}; it may be tried more often`,
        { message: id, err: natsError(error, where) },
      );
      this.#isFailing = true;
      void mend();
      return undefined;
    }
  }

  /** Sequences begin anew in a stream that is made again; with its time, none is like another. */
  #subject({ seq, timeNanos }: NatsDelivery): string {
    return `${this.#parts.name}.failures.${seq}-${timeNanos}`;
  }
}
