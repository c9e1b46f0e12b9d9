import type { AwsAccess } from '../../aws/access.ts';
import type { QueueAddress } from '../../config/queue-address.ts';
import type { Log } from '../../model/log.ts';

export interface SqsOptions extends AwsAccess {
  /** May be that of another account. An ARN or a URL of AWS tells the region; with an endpoint that tells none, `region` or
   * AWS_REGION does. */
  readonly queue: QueueAddress;
  readonly log: Log;
  /** Gives up when the queue could not be reached for this long, in ms. Default: never. */
  readonly giveUpAfterMs?: number | undefined;
  /** How long the queue waits for a message before it answers that there is none, in s, from 1 to 20. Default 20. */
  readonly waitSeconds?: number | undefined;
  /** How long closing waits for the queue's confirmations, in ms. Default 5 s. */
  readonly closeWithinMs?: number | undefined;
  /** Fires when the process has to end: closing begins then, and waits for half a second at most. */
  readonly cut?: AbortSignal | undefined;
}
