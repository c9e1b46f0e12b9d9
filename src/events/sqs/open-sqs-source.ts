import { hasNoCredentials } from '../../aws/no-credentials.ts';
import { retrying } from '../../flow/retry.ts';
import type { Abortable } from '../../model/abortable.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { EventSource } from '../source/event-source.ts';
import { CALLS } from './batch-calls.ts';
import { LinkLog } from './link-log.ts';
import { Queue } from './queue.ts';
import type { SqsOptions } from './sqs-options.ts';
import { POLL_CONNECTIONS, SqsSource } from './sqs-source.ts';

/** All polls, deletions and changes of visibility that may be under way: none waits for a connection of another. */
const CONNECTIONS = POLL_CONNECTIONS + 2 * CALLS;

/**
 * Finds an SQS queue and reads what it says of itself. Temporary trouble is waited out. Rejects with an IsyncError that is not
 * retryable (CONFIG_INVALID, STORE_MISSING: no such queue, STORE_REFUSED: a right is missing), with a retryable one once
 * `giveUpAfterMs` are over, or with the reason of the signal. Where there are no credentials, a daemon waits for them.
 */
export async function openSqsSource(options: SqsOptions, { signal }: Abortable = {}): Promise<EventSource> {
  const { giveUpAfterMs } = options;
  const queue = new Queue(options, CONNECTIONS);
  const log = options.log.with({ queue: queue.where });
  const link = new LinkLog(log);
  try {
    const attributes = await retrying(
      async () => {
        try {
          return await queue.open({ signal });
        } catch (error) {
          throw giveUpAfterMs === undefined ? error : forGood(error);
        }
      },
      { giveUpAfterMs },
      { signal, onRetry: (error) => link.failed(error) },
    );
    link.reached();
    return new SqsSource({ queue, attributes, link, log }, options);
  } catch (error) {
    queue[Symbol.dispose]();
    throw error;
  }
}

/** Whoever waits for the end is told at once of what only a person mends. */
function forGood(error: unknown): unknown {
  if (!(error instanceof IsyncError) || !hasNoCredentials(error.cause)) return error;
  const { code, message, hint, cause } = error;
  return new IsyncError(code, message, { hint, cause, retryable: false });
}
