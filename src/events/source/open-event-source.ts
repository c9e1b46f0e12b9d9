import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { EventSource } from './event-source.ts';

export interface SourceOptions {
  readonly log: Log;
  /** Gives up when the queue could not be reached for this long, in ms. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
  /** Makes nothing there: NOT_FOUND where what reads the queue is missing. Default: it is made. */
  readonly isThere?: boolean | undefined;
  /** How long a receive waits, in ms. Default 20 s. */
  readonly waitMs?: number | undefined;
}

/**
 * Opens the queue at `url`, which a store fills by itself: `amqp://…` or `amqps://…` ({@link openAmqpSource}), `nats://…` or
 * `tls://…` ({@link openNatsSource}). What a kind needs is loaded only when that kind is used. Queues of SQS have settings of
 * their own: {@link openSqsSource}.
 * @throws IsyncError CONFIG_INVALID, without a secret, for a URL of another kind, and what opening that kind throws
 */
export async function openEventSource(
  url: string,
  options: SourceOptions,
  abortable?: Abortable,
): Promise<EventSource> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'amqp':
    case 'amqps': {
      const { openAmqpSource } = await import('./amqp/open-amqp-source.ts');
      return await openAmqpSource(url, options, abortable);
    }
    case 'nats':
    case 'tls': {
      const { openNatsSource } = await import('./nats/open-nats-source.ts');
      return await openNatsSource(url, options, abortable);
    }
    case undefined:
    default:
      throw new IsyncError('CONFIG_INVALID', `no events can be had by ${scheme ?? 'that, which is no URL'}`, {
        hint: 'A source is amqp://HOST[:PORT]/[VHOST/]QUEUE or nats://HOST[:PORT]/STREAM.',
      });
  }
}
