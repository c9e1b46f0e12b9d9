import type { Message } from '@aws-sdk/client-sqs';
import { Limiter } from '../../flow/limiter.ts';
import { retrying } from '../../flow/retry.ts';
import { pause } from '../../flow/wake-up.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { Delivery, EventSource } from '../source/event-source.ts';
import { Deletions } from './deletions.ts';
import { HeldMessage, type Ending, type ReceivedMessage } from './held-message.ts';
import type { LinkLog } from './link-log.ts';
import type { Queue, QueueAttributes } from './queue.ts';
import { receivedFrom } from './received.ts';
import { maxDeliveriesOf } from './redrive-policy.ts';
import type { SqsOptions } from './sqs-options.ts';
import { Visibility } from './visibility.ts';

/** Polls under way at a time; further ones wait for their turn. Each keeps a connection for as long as it waits. */
export const POLL_CONNECTIONS = 8;
/** How long the queue waits for a message by itself, in s: its longest. */
const WAIT_S = 20;
/** Shortest visibility timeout that is asked for, in s: below it no extension could be relied on. */
const LEAST_VISIBILITY_S = 2;
/** An answer without anything new that comes sooner is followed by a wait until then, in ms: a server that does not wait must not be
 * asked in a loop. */
const EMPTY_MS = 1000;
/**
 * Of the visibility timeout: the longest wait for the answer to a call, so that a dead connection leaves time for another try.
 * In ms no less than a bad link takes, no more than it ever should.
 */
const CALL_SHARE = 1 / 4;
const LEAST_CALL_MS = 3000;
const LONGEST_CALL_MS = 10_000;
/** How long closing waits for confirmations, in ms: a round trip or two, with a try that failed. */
const CLOSE_MS = 5000;
/** The same once the process has been cut, in ms: a round trip, within what a service manager is told of the end. */
const CUT_CLOSE_MS = 500;

export interface SourceParts {
  readonly queue: Queue;
  readonly attributes: QueueAttributes;
  readonly link: LinkLog;
  readonly log: Log;
}

/** What an SQS queue delivers; what is in hand is kept from all other readers. */
export class SqsSource implements EventSource {
  readonly where: string;
  readonly maxDeliveries: number | undefined;
  readonly isFifo: boolean;
  readonly #queue: Queue;
  readonly #link: LinkLog;
  readonly #log: Log;
  readonly #options: SqsOptions;
  readonly #visibilitySeconds: number;
  readonly #visibility: Visibility;
  readonly #deletions: Deletions;
  readonly #polls = new Limiter(POLL_CONNECTIONS);
  /** By id. */
  readonly #held = new Map<string, HeldMessage>();
  /** Ends polls. */
  readonly #closing = new AbortController();
  /** Ends everything else, later. */
  readonly #closed = new AbortController();
  /** By the caller's signal, of which many polls have the same one. */
  readonly #combined = new WeakMap<AbortSignal, AbortSignal>();
  #disposal: Promise<void> | undefined;

  constructor({ queue, attributes, link, log }: SourceParts, options: SqsOptions) {
    this.where = queue.where;
    this.isFifo = attributes.isFifo;
    this.maxDeliveries = maxDeliveriesOf(attributes.redrivePolicy);
    this.#queue = queue;
    this.#link = link;
    this.#log = log;
    this.#options = options;
    this.#visibilitySeconds = Math.max(LEAST_VISIBILITY_S, attributes.visibilitySeconds);
    const { signal } = this.#closed;
    const onOver = (message: HeldMessage) => this.#over(message);
    const limitMs = Math.min(
      LONGEST_CALL_MS,
      Math.max(LEAST_CALL_MS, this.#visibilitySeconds * CALL_SHARE * 1000),
    );
    const parts = { queue, link, log, limitMs, signal };
    this.#visibility = new Visibility({ ...parts, seconds: this.#visibilitySeconds, onReleased: onOver });
    this.#deletions = new Deletions({ ...parts, onDeleted: onOver });
    // Whoever waits for a confirmation would close us only after it.
    whenFired(options.cut, () => void this[Symbol.asyncDispose]());
  }

  get isReachable(): boolean {
    return this.#link.isReached;
  }

  get inHand(): number {
    return this.#held.size;
  }

  async receive({ signal }: Abortable = {}): Promise<readonly Delivery[]> {
    const either = this.#signalFor(signal);
    for (;;) {
      const { received, deliveries } = await this.#polls.run(() => this.#poll(either));
      if (deliveries.length > 0 || received === 0) return deliveries;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposal ??= this.#dispose());
  }

  async #dispose(): Promise<void> {
    this.#closing.abort(new IsyncError('INTERRUPTED', 'the queue is closed'));
    const { closeWithinMs = CLOSE_MS, cut } = this.#options;
    const late = new Promise<void>((resolve) => {
      const lateAfter = (ms: number) => setTimeout(resolve, ms).unref();
      lateAfter(closeWithinMs);
      whenFired(cut, () => lateAfter(CUT_CLOSE_MS));
    });
    await Promise.race([this.#giveBack(), late]);
    this.#closed.abort();
    if (this.#held.size > 0)
      this.#log.warn('the queue did not confirm everything in time; the messages come again', {
        messages: this.#held.size,
      });
    for (const message of this.#held.values()) this.#over(message);
    this.#queue[Symbol.dispose]();
  }

  /** Another reader gets at once what nobody here works on any more. */
  async #giveBack(): Promise<void> {
    while (this.#held.size > 0) {
      for (const message of this.#held.values()) if (message.ending === undefined) void message.release(0);
      await Promise.all(Array.from(this.#held.values(), ({ over }) => over));
    }
  }

  async #poll(signal: AbortSignal): Promise<{ received: number; deliveries: readonly Delivery[] }> {
    const { giveUpAfterMs, waitSeconds = WAIT_S } = this.#options;
    const beganMs = performance.now();
    const messages = await retrying(
      async () => {
        if (this.#link.refusal !== undefined) throw this.#link.refusal;
        return await this.#queue.receive(waitSeconds, this.#visibilitySeconds, signal);
      },
      { giveUpAfterMs },
      { signal, onRetry: (error) => this.#link.failed(error) },
    );
    this.#closing.signal.throwIfAborted();
    this.#link.reached();
    const deliveries = this.#take(messages);
    const ms = Math.round(performance.now() - beganMs);
    this.#log.debug('polled the queue', {
      messages: messages.length,
      again: messages.length - deliveries.length,
      ms,
    });
    if (deliveries.length === 0 && ms < EMPTY_MS) await pause(EMPTY_MS - ms, signal);
    return { received: messages.length, deliveries };
  }

  /** Those of `messages` that were not in hand. */
  #take(messages: readonly Message[]): readonly Delivery[] {
    const received = messages.map(receivedFrom).filter((each) => each !== undefined);
    const damaged = messages.length - received.length;
    if (damaged > 0) this.#log.warn('messages arrived damaged; they come again', { messages: damaged });
    return received.filter((each) => !this.#isInHand(each)).map((each) => this.#hold(each));
  }

  /** A message in hand goes on with the new handle. One whose release the queue has done has come back already. */
  #isInHand(received: ReceivedMessage): boolean {
    const message = this.#held.get(received.id);
    if (message === undefined) return false;
    if (this.#visibility.isUnclear(message)) {
      this.#over(message);
      return false;
    }
    message.deliveredAgain(received);
    if (message.ending?.how !== 'release') this.#visibility.hold(message);
    return true;
  }

  #hold(received: ReceivedMessage): Delivery {
    const message = new HeldMessage(received, (each, ending) => this.#end(each, ending));
    this.#held.set(message.id, message);
    this.#visibility.hold(message);
    return message;
  }

  #end(message: HeldMessage, ending: Ending): void {
    if (ending.how === 'ack') this.#deletions.add(message);
    else this.#visibility.release(message);
  }

  #over(message: HeldMessage): void {
    this.#visibility.letGo(message);
    if (this.#held.get(message.id) === message) this.#held.delete(message.id);
    message.finish();
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

function whenFired(signal: AbortSignal | undefined, act: () => void): void {
  if (signal?.aborted === true) act();
  else signal?.addEventListener('abort', act, { once: true });
}
