import { fileURLToPath } from 'node:url';
import { IsyncError } from '../../model/isync-error.ts';
import type { Log } from '../../model/log.ts';
import type { EventQueue } from './event-queue.ts';

export interface EventQueueOptions {
  /** Whether this process receives from it. Of a file one process at a time may: FENCED. */
  readonly works: boolean;
  readonly maxMessages: number;
  /** Of the disk of a file. */
  readonly minFreeBytes: number;
  /** It is only looked at, and nothing is made: STORE_MISSING where it is not there. Default: it is made. */
  readonly isThere?: boolean | undefined;
  /** Messages that this process asks for at a time, at most 100, where others share the work. Default 100. */
  readonly ahead?: number | undefined;
  readonly log: Log;
}

/**
 * Opens the queue at `place`: `nats://…` or `tls://…` ({@link parseNatsUrl} of nats/), `amqp://…` or `amqps://…`
 * ({@link parseAmqpQueueUrl} of amqp/), `file:///…`, or the path of a file. What a form needs is loaded only when that form is used.
 * @throws IsyncError CONFIG_INVALID for a place of another kind, and what opening that form throws
 */
export async function openEventQueue(place: string, options: EventQueueOptions): Promise<EventQueue> {
  // Two letters at least, and slashes: a path with a colon is a path.
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
    case 'file': {
      const { EmbeddedQueue } = await import('./embedded/embedded-queue.ts');
      return await EmbeddedQueue.open(scheme === undefined ? place : fileURLToPath(place), options);
    }
    case 'nats':
    case 'tls': {
      const { openNatsQueue } = await import('./nats/open-nats-queue.ts');
      return await openNatsQueue(place, options);
    }
    case 'amqp':
    case 'amqps': {
      const { openAmqpQueue } = await import('./amqp/open-amqp-queue.ts');
      return await openAmqpQueue(place, options);
    }
    default:
      throw new IsyncError('CONFIG_INVALID', `no queue can be had by ${scheme}://`, {
        hint: 'A queue is a file, nats://HOST[:PORT][/NAME] (tls:// with TLS), or amqp://HOST[:PORT][/[VHOST/]NAME] (amqps:// with TLS).',
      });
  }
}
