import { setTimeout as delay } from 'node:timers/promises';
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos, TimeoutError } from '@nats-io/transport-node';
import type { Log } from '../../../model/log.ts';
import type { FailureCounts, NatsDelivery } from '../../nats/nats-delivery.ts';
import { natsError } from '../../nats/nats-errors.ts';

/**
 * How long the count of a message is kept after its last failure, in ms: far longer than from one try to the next. It is for what
 * no worker forgets, as one was killed.
 */
const KEPT_MS = 30 * 24 * 3_600_000;
/**
 * How long a message waits for whether there is any count, in ms. Then it is asked for by itself: a server that is slow to tell of
 * its streams reads a message of them at once.
 */
const LOOK_MS = 1000;
const CALLS = ['read', 'kept', 'forgotten'] as const;
type Call = (typeof CALLS)[number];
/** Counts there are, as far as is known. Nowhere: without the stream, each question would wait for its timeout. */
type Kept = 'some' | 'none' | 'nowhere';

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
  /** False: it could not be made, which has been said. */
  readonly isThere: boolean;
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
  /** Of which it has been said that they fail. */
  readonly #failing: Set<Call>;
  /** Mostly there is no count of any message, and none has to be asked for. */
  #kept: Promise<Kept> = Promise.resolve('some');

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#failing = new Set(parts.isThere ? [] : CALLS);
  }

  look(): void {
    this.#kept = Promise.race([this.#whatIsKept(), delay(LOOK_MS, 'some' as const, { ref: false })]);
  }

  async of(delivery: NatsDelivery): Promise<number | undefined> {
    // The server's count of deliveries is not enough: it forgets some of what came due while nobody asked, and a new consumer all.
    const kept = await this.#kept;
    if (kept === 'nowhere' || (kept === 'none' && delivery.attempt === 1)) return 0;
    const { manager, name } = this.#parts;
    const query = { last_by_subj: this.#subject(delivery) };
    const found = await this.#try('read', delivery, () =>
      manager.direct.getMessage(failuresStream(name).name, query),
    );
    return found === undefined ? undefined : Number(found?.string() ?? 0) || 0;
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

  async #whatIsKept(): Promise<Kept> {
    const { manager, name } = this.#parts;
    try {
      const { state } = await manager.streams.info(failuresStream(name).name);
      return state.messages > 0 ? 'some' : 'none';
    } catch (error) {
      return isMissing(error) || isRefused(error) ? 'nowhere' : 'some';
    }
  }

  async #try<T>(what: Call, { id }: NatsDelivery, call: () => Promise<T>): Promise<T | undefined> {
    try {
      const answer = await call();
      this.#failing.delete(what);
      return answer;
    } catch (error) {
      const { log, where, mend } = this.#parts;
      // A line for all that it concerns.
      log[this.#failing.has(what) ? 'debug' : 'warn'](
        `how often a message has failed can't be ${what}; it may be tried more often`,
        { message: id, err: natsError(error, where) },
      );
      this.#failing.add(what);
      // What is slow, or must not be used, is there: to look at everything would only add to it.
      if (!(error instanceof TimeoutError) && !isRefused(error)) void mend();
      return undefined;
    }
  }

  /** Sequences begin anew in a stream that is made again; with its time, none is like another. */
  #subject({ seq, timeNanos }: NatsDelivery): string {
    return `${this.#parts.name}.failures.${seq}-${timeNanos}`;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
}

function isRefused(error: unknown): boolean {
  return natsError(error, '').code === 'STORE_REFUSED';
}
