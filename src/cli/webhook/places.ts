import { join } from 'node:path';
import type { WebhookConfig } from '../../config/schemas/webhook.ts';

/** Where the queue is: a path, or the URL of a broker. */
export function queuePlace({ queue, state }: Pick<WebhookConfig, 'queue' | 'state'>): string {
  return queue ?? join(state, 'queue.db');
}
