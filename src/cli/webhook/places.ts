import { join } from 'node:path';
import type { WebhookConfig } from '../../config/schemas/webhook.ts';
import { IsyncError } from '../../model/isync-error.ts';

/**
 * Where the queue is: a path, or the URL of a broker.
 * @throws IsyncError CONFIG_INVALID where a queue of others is read in place of it: nobody would work on what is put there
 */
export function queuePlace({
  queue,
  state,
  source,
}: Pick<WebhookConfig, 'queue' | 'state' | 'source'>): string {
  if (source !== undefined)
    throw new IsyncError('CONFIG_INVALID', 'there is no queue of isync: "source" is read in place of it', {
      hint: 'What a broker holds, its own tools tell. For a resync use a config without "source", and an "isync webhook --role work" with that.',
    });
  return queue ?? join(state, 'queue.db');
}
