import { AmqpLink } from '../../amqp/amqp-link.ts';
import { checkIsThere, declareQueues, namesOf } from './amqp-queues.ts';
import { type AmqpQueueOptions, parseAmqpQueueUrl } from './amqp-options.ts';
import { AmqpQueue } from './amqp-queue.ts';

/**
 * Opens the queue that `url` names, and makes its queues in the broker where they are missing.
 * @throws IsyncError CONFIG_INVALID, UNREACHABLE, BUSY, STORE_REFUSED, TLS_FAILED; STORE_MISSING
 */
export async function openAmqpQueue(url: string, options: AmqpQueueOptions): Promise<AmqpQueue> {
  const { maxMessages, isThere, log } = options;
  const address = parseAmqpQueueUrl(url);
  const link = await AmqpLink.open(address, log);
  try {
    const names = namesOf(address.name);
    const { where } = address;
    const declare = { open: () => link.channel(), names, maxMessages, where, log };
    await (isThere === true ? checkIsThere(declare) : declareQueues(declare));
    return new AmqpQueue({ link, names, openLink: () => AmqpLink.open(address, log) }, options);
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  }
}
