import type { AwsAccess } from '../../../aws/access.ts';
import { parseQueue } from '../../../config/queue-address.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { PER_CALL, Queue, type SentEntry } from '../../sqs/queue.ts';
import type { ForwardedMessage, ForwardTarget } from './forward-target.ts';

/** Calls under way at a time. */
const CALLS = 4;
/** Of the bodies of one call, in bytes: what the oldest servers take. */
const CALL_BYTES = 256 * 1024;
/** Longest wait for the answer to a call, in ms. */
const CALL_MS = 20_000;
/** What SQS refuses in a text, and JSON can say otherwise. */
const NO_CHARACTERS = /[\ufffe\uffff]/g;

interface Waiting {
  readonly entry: SentEntry;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A queue of SQS. Messages that gather while calls are under way go with the next one: there is no timer. */
export class SqsTarget implements ForwardTarget {
  readonly where: string;
  readonly #queue: Queue;
  readonly #isFifo: boolean;
  readonly #closing = new AbortController();
  #waiting: Waiting[] = [];
  #calls = 0;

  private constructor(queue: Queue, isFifo: boolean) {
    this.where = queue.where;
    this.#queue = queue;
    this.#isFifo = isFifo;
  }

  /**
   * @param place name, URL or ARN
   * @throws IsyncError CONFIG_INVALID
   */
  static open(place: string, { aws, log }: { readonly aws: AwsAccess; readonly log: Log }): SqsTarget {
    const address = addressOf(place);
    return new SqsTarget(new Queue({ ...aws, queue: address, log }, CALLS), address.name.endsWith('.fifo'));
  }

  async send({ id, group, body: text }: ForwardedMessage): Promise<void> {
    const body = text.replaceAll(NO_CHARACTERS, (each) => `\\u${each.charCodeAt(0).toString(16)}`);
    const entry = { body, ...(this.#isFifo && { group, dedupe: id }) };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ entry, bytes: Buffer.byteLength(body), resolve, reject });
    // What is sent in this turn goes along.
    queueMicrotask(() => this.#start());
    await promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new IsyncError('INTERRUPTED', 'the target is closed'));
    for (const { reject } of this.#waiting) reject(this.#closing.signal.reason);
    this.#waiting = [];
    this.#queue[Symbol.dispose]();
    return Promise.resolve();
  }

  #start(): void {
    // A further call runs beside others once it is full.
    while (this.#waiting.length > 0 && (this.#calls === 0 || this.#waiting.length >= PER_CALL)) {
      if (this.#calls === CALLS) return;
      void this.#call(this.#take());
    }
  }

  #take(): readonly Waiting[] {
    let count = 0;
    for (let bytes = 0; count < PER_CALL; count++) {
      bytes += this.#waiting[count]?.bytes ?? Infinity;
      if (count > 0 && bytes > CALL_BYTES) break;
    }
    return this.#waiting.splice(0, count);
  }

  /** Never rejects. */
  async #call(batch: readonly Waiting[]): Promise<void> {
    this.#calls += 1;
    try {
      const limits = { signal: this.#closing.signal, limitMs: CALL_MS };
      const faults = await this.#queue.sendMessages(
        batch.map(({ entry }) => entry),
        limits,
      );
      for (const [index, { resolve, reject }] of batch.entries()) {
        const fault = faults[index];
        if (fault === undefined) resolve();
        else reject(fault);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#calls -= 1;
    this.#start();
  }
}

function addressOf(place: string): ReturnType<typeof parseQueue> {
  try {
    return parseQueue(place);
  } catch (error) {
    if (!(error instanceof IsyncError)) throw error;
    throw new IsyncError('CONFIG_INVALID', `the queue behind "sqs:" ${error.message}`, { cause: error });
  }
}
