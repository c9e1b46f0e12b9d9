import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { type AmqpAddress, parseAmqpUrl } from '../../amqp/amqp-address.ts';

export interface AmqpQueueOptions {
  /** That wait to be delivered; those that wait for their delay, and the dead ones, are in queues of their own. */
  readonly maxMessages: number;
  /** How long a receive waits, in ms. Default 20 s. */
  readonly waitMs?: number;
  /** Messages that the broker sends ahead, at most 100; as many more each time they are not enough. Default 100. */
  readonly ahead?: number | undefined;
  /** It is only looked at: STORE_MISSING where it is not there. Default: it is made. */
  readonly isThere?: boolean | undefined;
  readonly log: Log;
}

const DEFAULT_NAME = 'isync';
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const FORM = 'amqp://[USER:PASSWORD@]HOST[:PORT][/[VHOST/]NAME][?server=HOST:PORT]';

/**
 * Parses the URL of a queue of our own: {@link parseAmqpUrl}, and its name, which is `isync` where it is left out.
 * @throws IsyncError CONFIG_INVALID, without the secret
 */
export function parseAmqpQueueUrl(url: string): AmqpAddress & { readonly name: string } {
  const address = parseAmqpUrl(url, [], FORM);
  const { name = DEFAULT_NAME } = address;
  if (!NAME.test(name))
    throw new IsyncError('CONFIG_INVALID', `the name of the queue must match ${NAME.source}`, { hint: FORM });
  return { ...address, name };
}
