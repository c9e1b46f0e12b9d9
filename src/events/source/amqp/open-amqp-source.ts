import { retrying } from '../../../flow/retry.ts';
import type { Abortable } from '../../../model/abortable.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import { type AmqpAddress, parseAmqpUrl } from '../../amqp/amqp-address.ts';
import { amqpError } from '../../amqp/amqp-errors.ts';
import { AmqpLink } from '../../amqp/amqp-link.ts';
import type { EventSource } from '../event-source.ts';
import type { SourceOptions } from '../open-event-source.ts';
import { AmqpSource } from './amqp-source.ts';

const FORM = 'amqp://[USER:PASSWORD@]HOST[:PORT]/[VHOST/]QUEUE[?server=HOST:PORT]';

/**
 * Opens the queue of {@link parseAmqpUrl} that somebody else fills. Temporary trouble is waited out.
 * @throws IsyncError CONFIG_INVALID, STORE_MISSING: no such queue, STORE_REFUSED, TLS_FAILED; a retryable one once `giveUpAfterMs`
 *   are over
 */
export async function openAmqpSource(
  url: string,
  options: SourceOptions,
  { signal }: Abortable = {},
): Promise<EventSource> {
  const { log, giveUpAfterMs } = options;
  const address = parseAmqpUrl(url, [], FORM);
  const { name: queue } = address;
  if (queue === undefined)
    throw new IsyncError('CONFIG_INVALID', 'the URL of the source names no queue', { hint: FORM });
  let wasTold = false;
  const onRetry = (err: IsyncError): void => {
    if (!wasTold) log.warn('the queue can not be reached; it is tried again', { queue: address.where, err });
    wasTold = true;
  };
  const open = (): Promise<AmqpLink> => openChecked(address, queue, options);
  const link = await retrying(open, { giveUpAfterMs }, { signal, onRetry });
  return new AmqpSource(link, queue, options);
}

async function openChecked(address: AmqpAddress, queue: string, { log }: SourceOptions): Promise<AmqpLink> {
  const link = await AmqpLink.open(address, log);
  try {
    const channel = await link.channel();
    await channel.queueDeclare({ queue, passive: true });
    await channel.close();
    return link;
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw amqpError(error, address.where);
  }
}
