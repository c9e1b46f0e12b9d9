import { existsSync } from 'node:fs';
import { Limiter } from '../../../flow/limiter.ts';
import { retrying } from '../../../flow/retry.ts';
import { Wakeup } from '../../../flow/wake-up.ts';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { checkMessages } from '../check-messages.ts';
import type {
  DeadMessage,
  DeadMessages,
  EventQueue,
  QueueCounts,
  QueueDelivery,
  QueueMessage,
} from '../event-queue.ts';
import { noQueue } from '../no-queue.ts';
import type { Answers, Command, ThreadOptions } from './commands.ts';
import { HeldDelivery, type Ending } from './held-delivery.ts';
import { ThreadLink } from './thread-link.ts';

/** Messages of one receive, at most: one transaction for all of them. */
const TAKE_MESSAGES = 200;
/** How long a receive waits for a message by itself, in ms. */
const WAIT_MS = 20_000;
/** How often it looks for what other processes have published, in ms: of our own it is told. */
const LOOK_MS = 100;
/** Longest wait before another try after an error, in ms: a disk that has room again is found soon. */
const RETRY_MS = 5000;
/** Largest body, in bytes: beyond what any receiver takes. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** A file that is full or busy answers. */
const PASSING: ReadonlySet<string> = new Set(['STORE_FULL', 'BUSY']);
/** How long a publish that was refused says that the next one may be, in ms: whoever asks us may send none till then. */
const REFUSED_MS = 10_000;
/** Longest reason that is kept, in UTF-16 code units. */
const MAX_REASON = 2000;

export interface EmbeddedQueueOptions {
  /**
   * Whether this process works on the queue: one at a time may (FENCED). Without, it can do all but receive, also while another
   * one works.
   */
  readonly works: boolean;
  /** Messages and dead messages together. */
  readonly maxMessages: number;
  /** Of the disk of the file. 0: not looked at. */
  readonly minFreeBytes: number;
  /** How long a receive waits, in ms. Default {@link WAIT_MS}. */
  readonly waitMs?: number;
  /** It is only looked at: STORE_MISSING where it is not there. Default: it is made. */
  readonly isThere?: boolean | undefined;
  readonly log: Log;
}

/** A queue in a file of this machine. A thread of its own waits for the disk. */
export class EmbeddedQueue implements EventQueue {
  readonly where: string;
  readonly maxDeliveries = undefined;
  readonly isFifo = false;
  readonly dead: DeadMessages;
  readonly #link: ThreadLink;
  readonly #options: EmbeddedQueueOptions;
  /** One receive at a time asks: all wait for the same. */
  readonly #turn = new Limiter(1);
  readonly #arrived = new Wakeup();
  readonly #held = new Set<HeldDelivery>();
  readonly #closing = new AbortController();
  /** By the caller's signal, of which many receives have the same one. */
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  #isReachable = true;
  /** Whether what was asked last, and not again and again, has failed for what is wrong with the file or its thread. */
  #isBroken = false;
  #refusedUntilMs = -Infinity;
  #disposal: Promise<void> | undefined;

  private constructor(path: string, link: ThreadLink, options: EmbeddedQueueOptions) {
    this.where = path;
    this.#link = link;
    this.#options = options;
    this.dead = {
      list: () => this.#deadMessages(),
      get: (id) => this.#ask({ do: 'deadOf', id }),
      replay: async (id) => {
        const replayed = await this.#ask({ do: 'replay', id });
        this.#arrived.wake();
        return replayed;
      },
      drop: (id) => this.#ask({ do: 'drop', id }),
    };
  }

  /**
   * Opens the queue in the file at `path`, and makes it where it is missing; the folder above its own must be there.
   * @throws IsyncError FENCED where another process works on it; BUSY, STORE_MISSING, STORE_FULL; STORE_FAILED, not retryable
   *   for a file that is damaged or of a newer isync
   */
  static async open(path: string, options: EmbeddedQueueOptions): Promise<EmbeddedQueue> {
    const { works, maxMessages, minFreeBytes, isThere } = options;
    if (isThere === true && !existsSync(path)) throw noQueue(path);
    const thread: ThreadOptions = { path, works, maxMessages, minFreeBytes };
    return new EmbeddedQueue(path, await ThreadLink.open(thread), options);
  }

  get inHand(): number {
    return this.#held.size;
  }

  get lost(): Promise<IsyncError> {
    return this.#link.lost;
  }

  get isReachable(): boolean {
    return this.#isReachable && !this.#isBroken && performance.now() >= this.#refusedUntilMs;
  }

  async publish(messages: readonly QueueMessage[]): Promise<void> {
    checkMessages(messages, MAX_BODY_BYTES);
    try {
      await this.#ask({ do: 'publish', messages });
    } catch (error) {
      this.#refusedUntilMs = performance.now() + REFUSED_MS;
      throw error;
    }
    this.#refusedUntilMs = -Infinity;
    this.#arrived.wake();
  }

  async receive({ signal }: Abortable = {}): Promise<readonly QueueDelivery[]> {
    if (!this.#options.works)
      throw new IsyncError('INTERNAL', 'this process does not work on the queue', { path: this.where });
    const either = this.#signalFor(signal);
    return await this.#turn.run(() => this.#receive(either));
  }

  async counts(): Promise<QueueCounts> {
    return await this.#ask({ do: 'counts' });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    this.#closing.abort(closed());
    // A take that is under way is answered before this.
    if (this.#options.works)
      await this.#link.call({ do: 'giveBack' }).catch((err: unknown) => {
        this.#options.log.warn('what was in hand could not be given back; the next start does it', { err });
      });
    await this.#link.close();
    this.#held.clear();
  }

  async #receive(signal: AbortSignal): Promise<readonly QueueDelivery[]> {
    const endMs = performance.now() + (this.#options.waitMs ?? WAIT_MS);
    for (;;) {
      const { messages, dueInMs = LOOK_MS } = await this.#persist(
        { do: 'take', limit: TAKE_MESSAGES },
        signal,
      );
      this.#closing.signal.throwIfAborted();
      const deliveries = messages.map((message) => {
        const held: HeldDelivery = new HeldDelivery(message, (ending) => this.#end(held, ending));
        this.#held.add(held);
        return held;
      });
      const leftMs = endMs - performance.now();
      if (deliveries.length > 0 || leftMs <= 0) return deliveries;
      await this.#arrived.sleep(Math.min(leftMs, LOOK_MS, Math.max(1, dueInMs)), signal);
    }
  }

  async #end(held: HeldDelivery, ending: Ending): Promise<void> {
    const cut = ending.do === 'bury' ? { ...ending, reason: ending.reason.slice(0, MAX_REASON) } : ending;
    try {
      await this.#persist(cut, this.#closing.signal);
      this.#arrived.wake();
    } catch (err) {
      const fields = { message: held.id, attempt: held.attempt, told: ending.do, err };
      const told = 'the queue could not be told of a message; it comes again';
      // Given back by the disposal, with all others.
      if (this.#closing.signal.aborted) this.#options.log.debug(told, fields);
      else this.#options.log.warn(told, fields);
    }
    this.#held.delete(held);
  }

  async *#deadMessages(): AsyncGenerator<DeadMessage> {
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: Answers['dead'] = await this.#ask({ do: 'dead', after });
      yield* page.messages;
      after = page.next;
    }
  }

  /** Asks until it is answered, fails for good, or `signal` fires; that too only before or after a try. */
  async #persist<C extends Command>(command: C, signal: AbortSignal): Promise<Answers[C['do']]> {
    const policy = { giveUpAfterMs: undefined, longestDelayMs: RETRY_MS };
    const onRetry = (err: IsyncError): void => {
      if (this.#isReachable) this.#options.log.warn('the queue can not be used; it is tried again', { err });
      this.#isReachable = false;
    };
    const answer = await retrying(() => this.#link.call(command), policy, { signal, onRetry });
    if (!this.#isReachable) this.#options.log.info('the queue can be used again');
    this.#isReachable = true;
    return answer;
  }

  async #ask<C extends Command>(command: C): Promise<Answers[C['do']]> {
    if (this.#closing.signal.aborted) throw closed();
    try {
      const answer = await this.#link.call(command);
      this.#isBroken = false;
      return answer;
    } catch (error) {
      this.#isBroken = !(error instanceof IsyncError && PASSING.has(error.code));
      throw error;
    }
  }

  #signalFor(signal: AbortSignal | undefined): AbortSignal {
    if (signal === undefined) return this.#closing.signal;
    let either = this.#combined.get(signal);
    if (either === undefined) {
      either = AbortSignal.any([signal, this.#closing.signal]);
      this.#combined.set(signal, either);
    }
    return either;
  }
}

function closed(): IsyncError {
  return new IsyncError('INTERRUPTED', 'the queue is closed');
}
