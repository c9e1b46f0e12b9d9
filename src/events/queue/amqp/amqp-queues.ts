import type { Channel } from 'rabbitmq-client';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { amqpError } from '../../amqp/amqp-errors.ts';
import { noQueue } from '../no-queue.ts';

/**
 * How long a message may wait in each of the queues for what comes later, in ms. One waits as long as it was told to, or until
 * those before it may go: no longer than the whole step.
 */
export const STEPS_MS = [2_000, 10_000, 60_000, 300_000, 900_000, 3_600_000] as const;
/**
 * RabbitMQ 4 moves a message away after 20 deliveries unless it is told otherwise, and a negative number is refused by 3.10. With
 * any limit, what comes back goes before what waits.
 */
const NO_DELIVERY_LIMIT = 1_000_000_000;

export interface QueueNames {
  readonly main: string;
  readonly dead: string;
  /** Of the queue for each of {@link STEPS_MS}. */
  readonly delay: readonly string[];
  /** Held by whoever reads the dead messages. */
  readonly lock: string;
}

export function namesOf(main: string): QueueNames {
  return {
    main,
    dead: `${main}.dead`,
    delay: STEPS_MS.map((ms) => `${main}.delay-${ms / 1000}s`),
    lock: `${main}.dead.reader`,
  };
}

/** The queue in which a message waits for `delayMs`. */
export function delayQueue({ delay }: QueueNames, delayMs: number): string {
  const step = STEPS_MS.findIndex((ms) => delayMs <= ms);
  return delay.at(step) ?? '';
}

export interface DeclareOptions {
  /** A channel for each declaration: a refusal closes it. */
  readonly open: () => Promise<Channel>;
  readonly names: QueueNames;
  readonly maxMessages: number;
  readonly where: string;
  readonly log: Log;
}

/**
 * Makes the queues that are missing.
 * @throws IsyncError CONFIG_INVALID where one of the name is there and is of another kind
 */
export async function declareQueues(options: DeclareOptions): Promise<void> {
  const { names, maxMessages } = options;
  // Told apart from what is lost when somebody sets a policy: what a queue of ours gives up is dead.
  const toDead = deadLetters(names.dead);
  await declare(options, names.dead, { 'x-delivery-limit': NO_DELIVERY_LIMIT });
  await declare(options, names.main, {
    ...toDead,
    'x-delivery-limit': NO_DELIVERY_LIMIT,
    // The broker refuses once there is one more than this.
    'x-max-length': Math.max(0, maxMessages - 1),
  });
  for (const [step, name] of names.delay.entries())
    await declare(options, name, { ...deadLetters(names.main), 'x-message-ttl': STEPS_MS[step] ?? 0 });
}

/**
 * Makes nothing.
 * @throws IsyncError STORE_MISSING where there is no queue of the name
 */
export async function checkIsThere({ open, names, where }: DeclareOptions): Promise<void> {
  const channel = await open();
  try {
    await channel.queueDeclare({ queue: names.main, passive: true });
  } catch (error) {
    const told = amqpError(error, where);
    throw told.code === 'STORE_MISSING' ? noQueue(where) : told;
  } finally {
    await channel.close();
  }
}

/** Where messages go that expire, or are given up: there is a copy there before they are gone from here. */
function deadLetters(queue: string): Record<string, string> {
  return {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

async function declare(
  { open, where, log }: DeclareOptions,
  queue: string,
  settings: Record<string, string | number>,
): Promise<void> {
  const channel = await open();
  try {
    await channel.queueDeclare({
      queue,
      durable: true,
      arguments: { 'x-queue-type': 'quorum', ...settings },
    });
  } catch (error) {
    const told = amqpError(error, where);
    // A closed channel has no room for more.
    if (/inequivalent arg 'x-max-length'/.test(told.message))
      return log.warn('the queue keeps the limit that it was made with; a policy of RabbitMQ can lower it', {
        queue,
        err: told,
      });
    if (!/PRECONDITION_FAILED/.test(told.message)) throw told;
    throw new IsyncError('CONFIG_INVALID', `there is a queue "${queue}" of another kind (${told.message})`, {
      path: where,
      hint: 'Name another queue in the URL, or delete that one; RabbitMQ must be 3.10 or newer.',
    });
  } finally {
    await channel.close();
  }
}
